"""Commands that inspect collections and change how they are stored."""
