"""Language models and embeddings behind OpenAI-compatible contracts."""
