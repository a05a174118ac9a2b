"""One name, several models or replicas behind it."""
