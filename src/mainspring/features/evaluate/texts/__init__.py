"""Files of generated texts and their references."""
