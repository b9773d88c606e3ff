"""How a network is trained and tested."""
