"""Keras models of other people: a `.keras` or `.h5` file, whole or in parts, without a run."""
