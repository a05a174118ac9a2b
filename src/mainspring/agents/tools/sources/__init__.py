"""Kinds of tools: HTTP and OpenAPI, SQL, collections, artifacts, code. Each is a source with checked options."""
