"""Tasks: stores them, works on them, streams them and notifies webhooks."""
