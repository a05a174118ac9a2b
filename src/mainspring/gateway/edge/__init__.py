"""The HTTP server from the socket to the router."""
