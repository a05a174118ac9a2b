"""Compliance: what is held of somebody and erasing it, how long what is kept, and what the audit log is told."""
