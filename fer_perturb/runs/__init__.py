"""Where a run lies, and what is found again there."""
