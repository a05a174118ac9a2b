"""``mainspring up``: its first key, and an address that is taken. (Everything else tests what it serves.)"""

from __future__ import annotations

import re
import socket

from tests.cli.command import Command, data


def test_the_first_key_is_shown_when_everything_else_went_well(command: Command) -> None:
    command.settings["MAINSPRING_MODELS__CHAT"] = "[]"
    (command.place / "note.md").write_text("# Otters\n\nSea otters sleep on their backs and hold hands.\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = command.failure("up", "--port", port)
        assert f"127.0.0.1:{port} cannot be bound" in line
        assert "MAINSPRING_GATEWAY__PORT" in line
    # It was said before anything was opened.
    assert not (command.place / "home" / "mainspring.db").exists()
    # A key that was made and never shown would lock everybody out.
    assert data(command.said("keys", "list", "--json")) == []

    said = command.said("up", "--port", "0", "--ingest", "note.md", "--ask", "How do sea otters sleep?", "--once")
    assert "Sea otters sleep on their backs" in said
    assert re.search(r"serves on http://127\.0\.0\.1:\d+ ", said)
    assert re.search(r"Admin key, .*: ms-\S+", said)
    assert re.fullmatch(r"Console: http://127\.0\.0\.1:\d+/console  \(.*\)", said.rstrip().splitlines()[-1])
    (key,) = data(command.said("keys", "list", "--json"))
    assert key["scopes"] == ["admin", "operate"]
