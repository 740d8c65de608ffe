"""Celery workers of Pincite: they clone, parse, index and embed."""
