"""Sets for training: rows of each kind, their formats, split, manifest and card."""
