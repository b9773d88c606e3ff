"""Many jobs from one command: what they will cost, each in a process of its own, and what has become of them."""
