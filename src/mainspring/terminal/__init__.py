"""Parts of every command: output, completion, and the connection to a server."""
