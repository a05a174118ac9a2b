"""Judges as data, with published figures: a judge that was not measured may gate nothing."""
