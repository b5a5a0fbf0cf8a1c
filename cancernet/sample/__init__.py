"""Draws data to try things with: histology, ultrasound and mammograms."""
