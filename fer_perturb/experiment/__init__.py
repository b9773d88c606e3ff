"""What an experiment is, resolved once, at the door: below it nothing reads a config."""
