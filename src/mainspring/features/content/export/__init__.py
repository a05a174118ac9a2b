"""Articles as Markdown, HTML and DOCX."""
