"""Processing of a question before the search: each technique is a module, optional, and has its cost."""
