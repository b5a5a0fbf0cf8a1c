"""The API and its page on one finished run. Needs requirements-serve.txt, not TensorFlow."""
