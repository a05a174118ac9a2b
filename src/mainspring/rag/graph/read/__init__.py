"""From the text of a document to its graph."""
