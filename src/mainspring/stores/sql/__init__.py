"""The database and what tables are read and written with."""
