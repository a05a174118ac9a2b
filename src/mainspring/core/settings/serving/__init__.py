"""Settings of the layers of both rings, a section each."""
