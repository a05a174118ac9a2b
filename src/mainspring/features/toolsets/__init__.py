"""Sources of tools that a definition of an agent names: HTTP, OpenAPI, SQL, collections, artifacts, code."""
