"""Where a scheme looks: an implementation a file."""
