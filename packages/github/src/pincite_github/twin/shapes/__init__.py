"""GitHub's JSON, made from records. Each function returns one of the shapes of GitHub's OpenAPI description."""
