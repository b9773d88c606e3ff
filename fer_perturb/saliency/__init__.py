"""Where a network looks, whether it matters, and what its clusters are: pictures of the paper as numbers."""
