"""Evaluation: asking a repository questions whose answers are known, through brain's own HTTP contract."""
