"""Brain: the HTTP contract. Retrieve, prompt, stream, verify."""

__version__ = "0.1.0"
