"""Selects the part of a long conversation that precedes its next message: strategies, summaries, and recall of older
turns."""
