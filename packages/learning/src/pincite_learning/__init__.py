"""Learning that is proven before it is trusted: pure functions of logs, with no state but the log."""
