"""Tools that the server runs for a response: what is asked for, and the items and events that tell of their calls."""
