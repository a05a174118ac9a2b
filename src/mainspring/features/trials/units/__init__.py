"""Units of traffic, each with its arm and what came of it, made from events."""
