"""Code for every room: errors, types, settings, the ring mechanism and the registry of plugins."""
