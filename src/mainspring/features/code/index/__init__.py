"""The index of a workspace: which files belong to it, what they define, and how code is found in it."""
