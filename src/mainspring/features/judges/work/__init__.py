"""The work on measurements and estimates, in the background of a server."""
