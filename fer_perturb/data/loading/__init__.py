"""Batches of packed data, and the LightningDataModule that gives them."""
