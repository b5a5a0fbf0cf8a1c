"""Image files: found, told apart, decoded to 8-bit RGB."""
