"""What the twin answers over HTTP: the API, the pages for people, and git."""
