"""Tables and figures for people, from what runs left on disk."""
