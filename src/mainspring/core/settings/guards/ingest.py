"""Settings of the checks on documents at ingestion."""

from __future__ import annotations

from typing import Literal

from mainspring.core.settings.section import Section


class IngestSettings(Section):
    """What happens to a document that contains instructions to its reader: ``flag`` notes it, ``quarantine`` hides it
    from searches until somebody releases it, ``refuse`` rejects it. The rules read it, and with ``detector`` the fitted
    detector ``indirect``, two sentences at a time, which embeds every document once more."""

    action: Literal["off", "flag", "quarantine", "refuse"] = "off"
    detector: bool = False
