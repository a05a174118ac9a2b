"""Grammars and schemas that a model's output must keep to."""
