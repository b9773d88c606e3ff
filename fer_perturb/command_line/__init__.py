"""What the entry points share: Hydra, the words that people type, and errors that they can read."""
