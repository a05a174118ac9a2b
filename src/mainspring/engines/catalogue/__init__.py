"""Models: the catalogue, and pulling, verifying, converting and grading them."""
