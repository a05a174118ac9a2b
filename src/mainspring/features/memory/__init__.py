"""Memory: facts and preferences of a person, across sessions, with consent."""
