"""What the neighbouring patches of a slide add to the score of a patch."""
