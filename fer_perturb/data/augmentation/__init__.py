"""Changes of training images, drawn per image, on the training device; and crops for testing."""
