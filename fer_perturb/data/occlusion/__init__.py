"""Facial features hidden on the fly: which, how much of them, and by what."""
