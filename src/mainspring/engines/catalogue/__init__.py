"""Models: the list of them, pulling, checking, converting and grading them."""
