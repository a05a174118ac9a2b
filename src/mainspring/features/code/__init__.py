"""The code assistant: an index of workspaces, completions, explanations, fixes and tests over it, for editors."""
