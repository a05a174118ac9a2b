"""From the bytes of a file to its text, in a child process."""
