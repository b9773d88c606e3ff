"""Pictures in, uint8 batches out."""
