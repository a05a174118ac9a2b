"""From an answer to the feedback that it is made of, and back."""
