"""Where judges, their measurements and the items of those are kept."""
