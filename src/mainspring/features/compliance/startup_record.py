"""Records changes of a server's configuration: a fingerprint of its settings and the versions of its policies.

Settings contain secrets and names, so each section is recorded as a keyed hash: a change is visible, the content is
not. Limits are recorded as plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.core.settings import Settings
from mainspring.stores.events.audit_log import ITSELF, SERVER, Audit

ACTION = "settings.changed"
_LIMITS = ("requests_per_minute", "tokens_per_minute", "requests_per_day", "max_output_tokens")


async def note(audit: Audit, settings: Settings, policies: Mapping[str, str]) -> bool:
    """Append an entry if anything differs from the last start; returns whether it did. ``policies`` are versions by
    name."""
    found = {
        "sections": {name: await _fingerprint(audit, settings, name) for name in sorted(type(settings).model_fields)},
        "policies": dict(sorted(policies.items())),
        "limits": {name: getattr(settings.serving, name) for name in _LIMITS},
    }
    last = await audit.latest(SERVER, ACTION)
    before = {} if last is None else {name: last.details.get(name) for name in found}
    if before == found:
        return False
    changed = sorted(
        name for name, each in found["sections"].items() if (before.get("sections") or {}).get(name) != each
    )
    details: dict[str, Any] = {
        **found,
        "changed": changed,
        "policies_changed": before.get("policies") != found["policies"],
    }
    await audit.record(SERVER, ACTION, ITSELF, details=details)
    return True


async def _fingerprint(audit: Audit, settings: Settings, name: str) -> str:
    section = getattr(settings, name)
    text = section.model_dump_json() if hasattr(section, "model_dump_json") else str(section)
    return await audit.digest(SERVER, f"settings.{name}:{text}")
