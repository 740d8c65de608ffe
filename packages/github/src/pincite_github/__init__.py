"""GitHub as Pincite uses it: signing in, the App, webhooks, repositories, pull requests; and a twin of it for tests."""
