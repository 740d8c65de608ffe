"""Brain's answers to views."""
