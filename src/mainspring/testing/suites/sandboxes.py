"""The contract of sandboxes."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest

from mainspring.agents.sandbox.base import Sandbox, SandboxLimits
from mainspring.core.errors import InvalidRequest

HIDDEN = "suite-5d1e"
"""What no run may find."""
LIMITS = SandboxLimits(seconds=1.0, memory=128 * 2**20, output=2_000, disk=2**20, files=8, processes=8)


@pytest.mark.asyncio
class SandboxSuite:
    """A subclass has a fixture ``sandbox``, which it closes. Its code is Python or a part of it.

    These are the plain attempts to break out. ``tests/agents/sandbox`` of mainspring has many more.
    """

    async def test_the_last_expression_is_the_value(self, sandbox: Sandbox) -> None:
        found = await sandbox.run("total = 40\ntotal + 2", None, LIMITS)
        assert (found.value, found.error) == (42, "")
        assert sandbox.name

    async def test_what_is_printed_is_returned(self, sandbox: Sandbox) -> None:
        found = await sandbox.run("print('six', '日本語')", None, LIMITS)
        assert found.stdout == "six 日本語\n"
        assert found.error == ""

    @pytest.mark.parametrize(("code", "named"), [("1 / 0", "ZeroDivisionError"), ("def (", "SyntaxError")])
    async def test_a_failure_of_the_code_is_a_result(self, sandbox: Sandbox, code: str, named: str) -> None:
        assert named in (await sandbox.run(code, None, LIMITS)).error

    async def test_files_go_in_and_come_out(self, sandbox: Sandbox) -> None:
        code = "text = open('in.txt').read()\nopen('out.txt', 'w').write(text.upper())\ntext"
        found = await sandbox.run(code, {"in.txt": b"tides"}, LIMITS)
        assert (found.value, found.error) == ("tides", "")
        assert found.files["out.txt"] == b"TIDES"

    @pytest.mark.parametrize("name", ["../out.txt", "/etc/passwd", "a/../../b", ""])
    async def test_names_of_files_elsewhere_are_refused(self, sandbox: Sandbox, name: str) -> None:
        with pytest.raises(InvalidRequest):
            await sandbox.run("1", {name: b"x"}, LIMITS)

    async def test_an_endless_loop_ends(self, sandbox: Sandbox) -> None:
        started = time.monotonic()
        found = await sandbox.run("while True:\n    pass", None, LIMITS)
        assert found.error
        # A stuck machine is slow; a loop that nobody ends takes for ever.
        assert time.monotonic() - started < 60 * LIMITS.seconds

    async def test_memory_is_limited(self, sandbox: Sandbox) -> None:
        assert (await sandbox.run("len('a' * 2**30)", None, LIMITS)).error

    async def test_output_is_limited(self, sandbox: Sandbox) -> None:
        found = await sandbox.run("for _ in range(10000):\n    print('six')", None, LIMITS)
        assert len(found.stdout.encode()) <= LIMITS.output + 200

    async def test_a_run_finds_nothing_of_an_earlier_one(self, sandbox: Sandbox) -> None:
        await sandbox.run("left = 'there'\nopen('left.txt', 'w').write(left)", None, LIMITS)
        for code in ("left", "open('left.txt').read()"):
            found = await sandbox.run(code, None, LIMITS)
            assert found.error
            assert found.value is None

    async def test_files_of_the_machine_are_out_of_reach(self, sandbox: Sandbox, tmp_path: Path) -> None:
        secret = tmp_path / "secret.txt"
        secret.write_text(HIDDEN)
        for path in (secret, Path("../../../../../..") / secret.relative_to("/")):
            found = await sandbox.run(f"print(open({str(path)!r}).read())", None, LIMITS)
            assert found.error
            assert HIDDEN not in found.stdout

    async def test_a_file_of_the_machine_is_not_written(self, sandbox: Sandbox, tmp_path: Path) -> None:
        planted = tmp_path / "planted"
        await sandbox.run(f"open({str(planted)!r}, 'w').write('x')", None, LIMITS)
        assert not planted.exists()

    async def test_the_environment_is_out_of_reach(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MAINSPRING_SUITE_VALUE", HIDDEN)
        for code in ("import os\nprint(dict(os.environ))", "print(open('/proc/self/environ').read())"):
            found = await sandbox.run(code, None, LIMITS)
            assert HIDDEN not in f"{found.stdout} {found.value} {found.error}"

    async def test_the_network_is_out_of_reach(self, sandbox: Sandbox) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.settimeout(0.2)
            address = listening.getsockname()
            found = await sandbox.run(f"import socket\nsocket.create_connection({address!r}, 1)", None, LIMITS)
            assert found.error
            with pytest.raises(TimeoutError):
                listening.accept()

    async def test_runs_go_on_beside_each_other(self, sandbox: Sandbox) -> None:
        found = await asyncio.gather(*(sandbox.run(f"{number} * 2", None, LIMITS) for number in range(6)))
        assert [each.value for each in found] == [0, 2, 4, 6, 8, 10]

    async def test_it_can_be_closed_twice(self, sandbox: Sandbox) -> None:
        await sandbox.run("1", None, LIMITS)
        await sandbox.aclose()
        await sandbox.aclose()
