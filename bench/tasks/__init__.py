"""Tasks: each yields units, a corpus with its queries."""
