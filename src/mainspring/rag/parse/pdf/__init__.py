"""PDF pages: runs of text, layout, tables, and losses."""
