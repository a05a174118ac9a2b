"""What users see as one thing each, in one folder each: service, routes and commands."""
