"""``mainspring traces``: whose spans are shown, and that their content is shown as text."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mainspring import stores
from mainspring.cli.main import app
from mainspring.core.settings import Settings
from mainspring.stores.monitoring.spans import SpanRow
from mainspring.terminal import show
from tests.cli.command import Command, data
from tests.conftest import Server

TRACE, CHAT = "ab" * 16, "smollm2-135m-instruct"


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


def test_with_a_key_the_server_tells_and_in_the_form_of_a_home(
    server: Server, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.cli.operate.traces._PAGE", 2)
    known = {"MAINSPRING_URL": server.url, "MAINSPRING_API_KEY": server.key, "MAINSPRING_HOME": str(tmp_path / "home")}
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
    traces = [server.raw("POST", "/v1/chat/completions", body)[1]["x-trace-id"] for _ in range(3)]

    def there(*arguments: str) -> Result:
        return CliRunner(env=known).invoke(app, ["traces", *arguments])

    def kept(trace: str) -> bool:
        done = there(trace, "--json")
        return done.exit_code == 0 and bool(data(done.stdout)["spans"])

    until = time.monotonic() + 20
    while not all(map(kept, traces)) and time.monotonic() < until:
        time.sleep(0.1)
    asyncio.run(fill(tmp_path / "home"))
    one, other = (
        data(each)
        for each in (there(traces[0], "--json").stdout, command.said("traces", TRACE, "--tenant", "acme", "--json"))
    )
    assert {"answer", "call"} <= {each["kind"] for each in one["events"]}
    for span in one["spans"]:
        assert set(span) <= set(other["spans"][0])
        assert span["end_ns"] >= span["start_ns"]
        json.loads(span["attributes"])
    # Read to the end over several pages, each once.
    listed = [each["id"] for each in data(there("-n", "5", "--model", CHAT, "--json").stdout)["data"]]
    assert set(traces) <= set(listed)
    assert len(listed) == len(set(listed)) <= 5
    assert all(each in there("-n", "5", "--model", CHAT).stdout for each in traces)
    assert "nothing is recorded" in str(there("0" * 32).exception)
    # A tenant is named of this machine's home, which the server has nothing to do with.
    assert TRACE in there("--tenant", "acme").stdout
