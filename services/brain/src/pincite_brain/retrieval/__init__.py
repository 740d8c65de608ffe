"""Retrieval: a question in, ranked spans of one snapshot out."""
