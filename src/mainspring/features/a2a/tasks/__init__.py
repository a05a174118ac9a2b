"""Tasks: kept, worked on, followed, and told to webhooks."""
