"""A home saved and restored."""
