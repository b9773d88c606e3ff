"""What the paper reports, as data: paper.yaml, read by one module."""
