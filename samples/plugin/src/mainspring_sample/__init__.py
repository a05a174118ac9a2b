"""A sample plugin of mainspring."""
