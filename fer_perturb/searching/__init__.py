"""A search for better settings by the accuracy on val, with Optuna (the extra `search`)."""
