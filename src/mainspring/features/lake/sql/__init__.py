"""SQL over a tenant's files with DuckDB, in a process of its own under limits."""
