"""Agents that are served: from the configuration, from plugins, and made over HTTP."""
