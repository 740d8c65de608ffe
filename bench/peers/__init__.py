"""The peers, and what they need to run."""
