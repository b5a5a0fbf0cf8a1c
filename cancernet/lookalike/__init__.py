"""Which images show the same: found by looking at the pixels."""
