"""Describes the images that a network was trained on, and tells which others are unlike them."""
