"""What is said wherever a person reads a prediction."""

NOTICE = "Research software, not a medical device; not for diagnosis."
