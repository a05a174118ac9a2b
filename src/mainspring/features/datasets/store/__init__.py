"""The rows of data sets, and their versions."""
