"""Using a finished run: one image, a folder, or a stream, without TensorFlow."""
