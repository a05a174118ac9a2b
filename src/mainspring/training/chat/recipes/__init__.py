"""The recipes, one a file; each has a function ``run`` of a ``Work``."""
