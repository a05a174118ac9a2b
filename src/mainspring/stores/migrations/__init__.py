"""The schema's history. ``database.upgrade`` runs it when a database is opened."""
