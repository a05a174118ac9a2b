"""What fills queues, and what is shown of an answer."""
