"""The confirmatory runs of docs/protocol.md, what they left, and the tables that follow from it alone."""
