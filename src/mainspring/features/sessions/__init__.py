"""Conversations that the server keeps: routes and commands."""
