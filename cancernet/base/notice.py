"""What is said wherever a person reads a prediction."""

DRAWN = "The model was trained on drawn pictures: its answers mean nothing for tissue."
NOTICE = "Research software, not a medical device; not for diagnosis."
