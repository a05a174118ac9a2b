"""The prompt enhancer: corrects typos and expands abbreviations in a message."""
