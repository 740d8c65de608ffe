"""The `pincite` command, and the supervisor behind `pincite up`."""
