"""HTML, Markdown, reStructuredText, AsciiDoc and manual pages."""
