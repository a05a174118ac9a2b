"""The event log, texts, and the audit log."""
