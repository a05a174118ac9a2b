"""PDF pages: runs of text, layout, tables, and what was lost."""
