"""Agents of others, asked over the Agent2Agent protocol."""
