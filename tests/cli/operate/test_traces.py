"""``mainspring traces``: whose spans are shown, and that their content is shown as text."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.stores.monitoring.spans import SpanRow
from mainspring.terminal import show
from tests.cli.command import Command, data

TRACE = "ab" * 16


async def fill(home: Path) -> None:
    async with stores.open(Settings(home=home)) as opened:
        await opened.spans.write(
            [
                SpanRow(TRACE, "1" * 16, None, "request", 1, 2, "ok", tenant="acme", root=True),
                SpanRow(TRACE, "2" * 16, None, "re\x1b[2Jquest", 1, 2, "ok", tenant="other", root=True),
            ]
        )


def test_a_tenant_that_chose_the_same_id_is_not_in_the_trace(tmp_path: Path, command: Command) -> None:
    asyncio.run(fill(tmp_path / "home"))
    for tenant, span in (("acme", "1"), ("other", "2")):
        told = data(command.said("traces", TRACE, "--tenant", tenant, "--json"))
        assert [each["span_id"] for each in told["spans"]] == [span * 16]
    shown = command.said("traces", TRACE, "--tenant", "other")
    assert "\x1b" not in shown
    assert "re\\x1b[2Jquest" in shown


def test_what_is_shown_is_text_and_no_command_to_the_terminal() -> None:
    assert show.printable("tab\tline\nCologne Köln 日本 👩‍💻") == "tab\tline\nCologne Köln 日本 👩‍💻"
    for each in "\x00\x07\x1b\r\x7f\x9b\u2028\u202e\u2066":
        assert show.printable(f"a{each}b").isprintable()
