"""A share of live answers, judged in the background."""
