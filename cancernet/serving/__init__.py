"""The API and its page on one finished run. Needs the extra `serve`, not TensorFlow."""
