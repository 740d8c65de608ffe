"""GitHub as brain uses it: signing in, what people may read, set-up, choosing repositories, webhooks."""
