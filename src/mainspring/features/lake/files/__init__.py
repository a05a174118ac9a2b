"""The files of the lake: their columns, their places, and the manifest that says which of them count."""
