"""The guards as layers of the rings."""
