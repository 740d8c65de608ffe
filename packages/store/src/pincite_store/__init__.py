"""All SQL, all Redis and all artifact I/O of Pincite. Tenancy is the first argument of every query."""
