"""What every command is made of: output, completion, and the connection to a server."""
