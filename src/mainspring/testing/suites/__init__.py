"""The contracts of layers, connectors, toolsets, recipes, databases, speech and web search.

``mainspring.testing`` names all suites.
"""
