"""What a scheme may hide: an implementation a file, and the controls as wrappers around another."""
