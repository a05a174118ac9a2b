"""Compliance: what is held of somebody and erasing it, how long what is kept, and what the audit log is told."""

from mainspring.features.compliance.service import Compliance, open  # noqa: A004

__all__ = ["Compliance", "open"]
