"""How judges of each kind find their scores."""
