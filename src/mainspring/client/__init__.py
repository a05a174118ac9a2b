"""mainspring as a library: one interface over the system opened in this process and over a running server."""
