"""Agents: language models in a loop with tools, whose every step is recorded.

An agent is a ``Responder``: it is served as a model, and its calls of models go through the call ring.
"""
