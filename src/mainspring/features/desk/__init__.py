"""The support desk: cases that agents and customers open, and people who work on them."""
