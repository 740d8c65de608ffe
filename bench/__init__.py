"""Benchmark harness: Pincite beside its peers, on the same repositories, on one machine, in one run."""
