"""The contracts of the kinds of parts that came later, from chat rerankers to web searches.

``mainspring.testing`` names all suites.
"""
