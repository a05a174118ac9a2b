"""Rules for when to suggest and what never to suggest: pure functions."""
