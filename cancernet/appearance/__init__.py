"""What the images look like that a network was trained on, and which others do not."""
