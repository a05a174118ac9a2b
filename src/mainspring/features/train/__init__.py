"""Training jobs, the versions that they make, and how these are served."""
