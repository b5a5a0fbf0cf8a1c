"""Training: batches, fit, export, and the training as a whole."""
