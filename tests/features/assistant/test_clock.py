"""Date and time by the clock."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from mainspring.features.assistant.clock import told
from mainspring.features.assistant.languages import language_of

NOW = datetime(2026, 11, 28, 11, 30, tzinfo=ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("What time is it?", "It is 11:30 on Saturday, 28 November 2026 (UTC)."),
        ("what's the time in Tokyo?", "It is 20:30 on Saturday, 28 November 2026 (Asia/Tokyo)."),
        ("What day is it tomorrow?", "Sunday, 29 November 2026."),
        ("Wie spät ist es?", "Es ist 11:30 Uhr am Samstag, 28. November 2026 (UTC)."),
        ("Quelle heure est-il à Paris ?", "Il est 12:30, le samedi 28 novembre 2026 (Europe/Paris)."),
        ("Quel jour sommes-nous ?", "Le samedi 28 novembre 2026."),
        ("¿Qué día es hoy?", "Sábado, 28 de noviembre de 2026."),
    ],
)
def test_told(text: str, said: str) -> None:
    assert told(text.lstrip("¿"), language_of(text), NOW) == said


@pytest.mark.parametrize("text", ["what time does the train leave?", "What is time?", "what time is it in Narnia", ""])
def test_left_to_the_model(text: str) -> None:
    assert told(text, "en", NOW) == ""
