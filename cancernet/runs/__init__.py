"""A run folder: everything a trained model needs, complete in itself."""
