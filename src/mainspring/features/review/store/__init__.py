"""The rows of queues, items and labels."""
