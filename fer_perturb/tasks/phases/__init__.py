"""The three phases: each leaves on disk what the next one reads."""
