"""The registry of prompts: its routes and commands."""
