"""What each kind of candidate needs, and what it makes of an application."""
