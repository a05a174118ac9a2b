"""Chat, explanations, fixes and tests over a workspace."""
