"""The cases of all tenants, in the database."""
