"""Evidence: whether documents answer a question."""
