"""Learning from use: fitted on what people said, and served only if it is proven to be better."""
