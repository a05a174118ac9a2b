"""Settings of the guards, a section each."""
