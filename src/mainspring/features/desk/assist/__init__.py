"""Assists the people of the desk: summaries, knowledge and suggested answers for a case."""
