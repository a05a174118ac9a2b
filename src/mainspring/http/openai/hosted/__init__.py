"""Tools that the server runs for a response: their requests, and the items and events of their calls."""
