"""Imports: recorded traffic of other systems becomes events."""
