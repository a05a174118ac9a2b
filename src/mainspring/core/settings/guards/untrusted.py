"""Settings of text from third parties (tool results, pasted text) and of checks over several turns."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.guards.limits import OnInput
from mainspring.core.settings.section import Section


class UntrustedSettings(Section):
    """``tools``: tool results are put between delimiters for the model; ``user``: the same for text that users
    ``pasted``, or for ``all`` their text. ``pasted`` is the action for pasted text with instructions, found by the
    rules and, if ``detectors.indirect`` is on, by that detector. ``turns``: the detector also reads that many
    neighbouring user messages as one text, and the rules read the whole conversation (0: each message alone; the
    detector was fitted on 4)."""

    tools: bool = False
    user: Literal["off", "pasted", "all"] = "off"
    pasted: OnInput = "off"
    turns: int = Field(0, ge=0, le=32)
