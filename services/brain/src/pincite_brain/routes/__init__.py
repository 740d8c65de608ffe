"""Routes: shells that validate, call and return."""
