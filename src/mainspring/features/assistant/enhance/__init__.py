"""The prompt enhancer: typos and abbreviations in a message, read as what was meant."""
