"""Errors, files, locks, images, words: what every room may use."""
