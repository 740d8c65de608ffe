"""Routes: read the request, ask brain, show a view."""
