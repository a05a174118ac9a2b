"""Commands that look into collections and change how they are kept."""
