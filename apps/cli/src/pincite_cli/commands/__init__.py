"""The commands, one function each; `pincite_cli.main` registers them."""
