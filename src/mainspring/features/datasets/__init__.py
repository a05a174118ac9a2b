"""Data sets: immutable versions of examples, made of files, of traces and by hand."""
