"""Built-in parts that start programs keep what ``mainspring.testing`` asks of their kinds."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.agents.sandbox.base import Sandbox
from mainspring.agents.sandbox.bubblewrap import BubblewrapSandbox
from mainspring.core import plugins
from mainspring.core.settings import load
from mainspring.core.settings.audio import AudioSettings
from mainspring.engines.audio import espeak
from mainspring.engines.audio.base import Transcriber, Voice
from mainspring.engines.audio.whisper import FasterWhisper
from mainspring.engines.catalogue.pull import Puller
from mainspring.kinds import CONNECTOR
from mainspring.rag.connect.registry import ConnectorType
from mainspring.testing import ConnectorSuite, SandboxSuite, TranscriberSuite, VoiceSuite
from tests.features.audio.test_audio import SPOKEN

OPENS = "The harbour opens at six."


class TestGit(ConnectorSuite):
    said = (OPENS,)
    other = "s3://bucket/prefix"

    @pytest.fixture
    def connector_type(self) -> ConnectorType:
        return plugins.registry().make(CONNECTOR, "git")

    @pytest.fixture
    def source(self, tmp_path: Path) -> str:
        place = tmp_path / "source"
        place.mkdir()

        def git(*arguments: str) -> None:
            who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
            subprocess.run(["git", *who, "-C", str(place), *arguments], check=True, capture_output=True)

        git("init", "--quiet", "--initial-branch=main")
        (place / "tides.md").write_text(OPENS)
        git("add", "tides.md")
        git("commit", "--quiet", "-m", "tides")
        return f"git+file://{place}"


class TestFasterWhisper(TranscriberSuite):
    recording = SPOKEN
    said = ("bring your own bags",)

    @pytest.fixture
    async def transcriber(self) -> AsyncIterator[Transcriber]:
        settings = load().settings
        Puller(settings).pull("whisper-tiny-en")
        made = FasterWhisper(settings, AudioSettings())
        yield made
        await made.close()


@pytest.mark.skipif(shutil.which(espeak.PROGRAM) is None, reason="espeak-ng is not installed")
class TestEspeak(VoiceSuite):
    @pytest.fixture
    def voice(self) -> Voice:
        return espeak.Espeak(load().settings, AudioSettings())


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
class TestBubblewrap(SandboxSuite):
    @pytest.fixture
    async def sandbox(self) -> AsyncIterator[Sandbox]:
        made = BubblewrapSandbox()
        yield made
        await made.aclose()
