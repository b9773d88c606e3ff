"""What reads or makes the pictures of datasets: reader.py says what a reader is."""
