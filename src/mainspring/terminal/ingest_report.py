"""The report of an ingestion, on stderr and as JSON values."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.rag.ingest.pipeline import IngestReport

_MAX_WARNINGS = 20


def _counts(report: IngestReport) -> dict[str, int]:
    return {
        "read": len(report.added) + len(report.updated),
        "unchanged": len(report.unchanged),
        "described_anew": len(report.described),
        "moved": len(report.moved),
        "removed": len(report.removed),
        "not_read": len(report.failed),
    }


def report_facts(report: IngestReport) -> dict[str, Any]:
    """The result of an ingestion, as JSON values."""
    told = {name: getattr(report, name) for name in ("failed", "warnings", "flagged", "quarantined")}
    return {
        **_counts(report),
        "seconds": round(report.seconds, 3),
        "notices": list(dict.fromkeys(report.notices)),
        **{name: [{"name": each.name, "error": each.error} for each in found] for name, found in told.items()},
    }


def tell(collection: str, report: IngestReport) -> None:
    """Report the outcome of an ingestion on stderr."""
    said = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in _counts(report).items() if count)
    sys.stderr.write(f"{collection}: {said or 'nothing to read'} ({report.seconds:.1f} s)\n")
    for notice in dict.fromkeys(report.notices):
        sys.stderr.write(f"  {notice}\n")
    for held in report.flagged:
        sys.stderr.write(f"  flagged: {held.name} holds {held.error}\n")
    for held in report.quarantined:
        sys.stderr.write(f"  quarantined: {held.name} holds {held.error}; see `mainspring rag quarantine`\n")
    for warning in report.warnings[:_MAX_WARNINGS]:
        sys.stderr.write(f"  {warning.name}: {warning.error}\n")
    if len(report.warnings) > _MAX_WARNINGS:
        sys.stderr.write(f"  {len(report.warnings) - _MAX_WARNINGS} more warnings\n")
    for failure in report.failed:
        sys.stderr.write(f"  not read: {failure.name}: {failure.error}\n")
