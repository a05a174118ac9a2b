"""The needs of each kind of candidate, and its effect on an application."""
