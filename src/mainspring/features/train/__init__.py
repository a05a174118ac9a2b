"""Training: jobs, versions and what serves them."""
