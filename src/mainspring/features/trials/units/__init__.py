"""Units of traffic, each with its arm and its outcome, made from events."""
