"""What is wrong with a dataset, and which training images to leave out for it."""
