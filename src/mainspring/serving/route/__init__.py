"""Several models or replicas behind one name."""
