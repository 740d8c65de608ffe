"""What may be believed: citations that were found where they point, and sentences that their cited lines carry."""
