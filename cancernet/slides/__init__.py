"""Slide maps: patches in their places, the probability over them, its outline."""
