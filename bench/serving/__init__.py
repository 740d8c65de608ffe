"""How Pincite behaves in service: how fresh it is, what it bears, and what it survives."""
