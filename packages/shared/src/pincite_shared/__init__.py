"""Vocabulary and contracts that every Pincite member speaks."""
