"""The ``mainspring`` command. Modules here import heavy rooms inside their functions: help must be instant."""
