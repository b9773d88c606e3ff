"""Each table and figure that runs can fill, a file a question."""
