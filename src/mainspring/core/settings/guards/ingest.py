"""Settings of what is looked for in documents when they are ingested."""

from __future__ import annotations

from typing import Literal

from mainspring.core.settings.section import Section


class IngestSettings(Section):
    """What is done with a document that holds instructions to whoever reads it: noted (``flag``), kept out of searches
    until somebody releases it (``quarantine``), or not taken at all (``refuse``). The rules read it, and with
    ``detector`` the fitted detector ``indirect``, two sentences at a time, which embeds every document once more."""

    action: Literal["off", "flag", "quarantine", "refuse"] = "off"
    detector: bool = False
