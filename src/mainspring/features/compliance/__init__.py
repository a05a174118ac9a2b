"""Compliance: data of a person and its erasure, retention, and the audit log."""
