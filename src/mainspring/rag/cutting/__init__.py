"""Documents cut into chunks in a child process, so that a long one does not hold the interpreter of a server."""
