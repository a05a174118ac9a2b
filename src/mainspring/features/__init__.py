"""Features: vertical slices with service, routes, commands and settings, one folder each."""
