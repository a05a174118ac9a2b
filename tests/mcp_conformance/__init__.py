"""The official conformance suite of the Model Context Protocol, over our server and our client."""
