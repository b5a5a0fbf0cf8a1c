"""The epochs: fit, checkpoints, what happens after each, several workers."""
