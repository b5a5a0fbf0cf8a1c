"""Batches of images: decoding, random changes, kept pixels."""
