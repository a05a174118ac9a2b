"""A tenant's policy for one application, as data, and when the loop begins."""
