"""Examples made of files and of traces, and their splits."""
