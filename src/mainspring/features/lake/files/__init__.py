"""The files of the lake: their columns, their paths, and the manifest of the valid ones."""
