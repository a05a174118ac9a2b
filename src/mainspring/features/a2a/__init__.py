"""Agents over A2A: applications, collections and models of this server as agents of other people's frameworks."""
