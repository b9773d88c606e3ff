"""Anyone's own pictures of faces."""
