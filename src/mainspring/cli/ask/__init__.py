"""Commands that ask documents and models, and that fill collections."""
