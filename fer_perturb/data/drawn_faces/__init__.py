"""Drawn faces: an experiment in which everything is known and controlled."""
