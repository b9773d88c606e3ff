"""A trained run put to use: pictures in, emotions out, and the network as one file for others."""
