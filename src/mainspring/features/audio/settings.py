"""The section of speech, which engines read, too."""

from __future__ import annotations

from mainspring.core.settings.audio import AudioSettings

SECTIONS = {"audio": AudioSettings}
