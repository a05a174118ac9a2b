"""Search over collections."""
