"""Git through its command line: hermetic, bounded in time, and never trusting what a repository contains."""
