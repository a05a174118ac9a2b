"""Runs the conformance suites of others against a server of this tree; nothing of theirs is kept here.

    OPENRESPONSES=/path/to/openresponses python -m tests.clients.peers.run
    OGX=/path/to/ogx python -m tests.clients.peers.run responses/test_basic_responses.py
    A2A_TCK=/path/to/a2a-tck python -m tests.clients.peers.run

Each variable names a checkout, or a bare git directory. OpenResponses' compliance suite runs in Node. OGX's integration
tests for responses, vector_io, files and inference run with the official client in place of OGX's own
(``ogx_conftest.py``). A2A's compatibility kit (its branch 1.0-dev) asks an agent that follows its scenarios
(``a2a_agent.py``), with the key that its clients lack (``a2a_key.py``). ``--result`` writes the counts, and
the failures by their reasons, to ``../results/peers.json``. The exit status is 1 if a test failed that
``expected.json`` does not give a reason for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.clients import environments
from tests.clients.families import HERE
from tests.clients.server import beside, running

CONFTEST = HERE / "peers" / "ogx_conftest.py"
EXPECTED = HERE / "peers" / "expected.json"
RESULT = HERE / "results" / "peers.json"
OGX_PACKAGES = (
    "openai==3.57.0",
    "langchain==1.5.2",
    "langchain-openai==1.7.4",
    "pytest",
    "pytest-asyncio",
    "requests",
    "numpy",
)
A2A_PACKAGES = (
    *("pytest==9.2.0", "pytest-asyncio==1.5.0", "httpx==0.28.1", "grpcio", "protobuf", "googleapis-common-protos"),
    *("jsonschema", "pytest-html", "gherkin-official", "Jinja2"),
)
A2A_BRANCH = "1.0-dev"
OGX_FOLDERS = ("responses", "vector_io", "files", "inference")


KNOWN = {
    "Which planet do humans live on": "Humans live on the Earth.",
    "name of the planet from your previous response": "It was the Earth.",
    "rings around it with a name starting with letter S": "It is Saturn.",
    "all caps": "UPPER",
    "What do I like to eat": "BEFORE",
    "How many experts does the Llama 4 Maverick model have": "BEFORE",
    "name of the Sun in latin": "It is Sol.",
    "name of the US captial": "It is Washington.",
    "capital of France": "It is Paris.",
    "Count from 1 to 10": "1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
    "largest countries": "Russia, Canada, China and the United States",
    "When was it built": "It was built in 1889.",
}
"""What OGX's tests ask a model for, since the scripted one knows nothing: that it arrives is what is tested."""


def _web(searches: str) -> dict[str, str]:
    return {"MAINSPRING_WEB_SEARCH__KIND": "searxng", "MAINSPRING_WEB_SEARCH__URL": searches}


def main() -> int:
    given = {name: os.environ.get(name, "") for name in ("OPENRESPONSES", "OGX", "A2A_TCK")}
    if not any(given.values()):
        sys.exit("set OPENRESPONSES, OGX or A2A_TCK to a checkout of the suite")
    only = [each for each in sys.argv[1:] if each != "--result"]
    outcomes: dict[str, str] = {}
    # The kit's webhooks are at this machine.
    a2a = {"MAINSPRING_A2A__AGENT": "tck", "MAINSPRING_A2A__PRIVATE_HOSTS": '["localhost"]'}
    knows = {"SCRIPTED_KNOWS": json.dumps(KNOWN)}
    with (
        tempfile.TemporaryDirectory() as home,
        beside("tests.search_endpoint") as searches,
        running(Path(home) / "server", **a2a, **knows, **_web(searches)) as server,
    ):
        if given["OPENRESPONSES"]:
            outcomes |= _openresponses(Path(given["OPENRESPONSES"]), server.url, server.key)
        if given["OGX"]:
            outcomes |= _ogx(Path(given["OGX"]), Path(home), server.url, server.key, only)
        if given["A2A_TCK"]:
            outcomes |= _a2a(Path(given["A2A_TCK"]), Path(home), server.url, server.key, only)
    expected: Mapping[str, str] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    if "--result" in sys.argv:
        _write(outcomes, expected)
    return _told(outcomes, expected)


def _write(outcomes: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """The counts of each suite that ran, in the place of those before, and how many tests failed for each reason."""
    told: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    for suite in {name.split()[0] for name in outcomes}:
        own = {name: outcome for name, outcome in outcomes.items() if name.split()[0] == suite}
        failed = [name for name, outcome in own.items() if outcome.startswith("failed")]
        reasons = Counter(_reason(name, expected) or own[name] for name in failed)
        skipped = sum(outcome == "skipped" for outcome in own.values())
        counts = {"passed": len(own) - len(failed) - skipped, "failed": len(failed), "skipped": skipped}
        today = datetime.now(UTC).date().isoformat()
        told[suite] = {"measured_at": today, **counts, "failed, by reason": dict(reasons.most_common())}
    RESULT.write_text(json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _reason(name: str, expected: Mapping[str, str]) -> str:
    return next((why for part, why in expected.items() if part in name), "")


def _told(outcomes: Mapping[str, str], expected: Mapping[str, str]) -> int:
    """Print what failed, with its reason where there is one."""
    ours = []
    for name, outcome in outcomes.items():
        if not outcome.startswith("failed"):
            continue
        reason = _reason(name, expected)
        ours += [] if reason else [name]
        said = outcome.removeprefix("failed: ")
        print(f"expected {name}: {reason} ({said})" if reason else f"FAILED {name}: {said}")
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    skipped = sum(outcome == "skipped" for outcome in outcomes.values())
    failed = len(outcomes) - passed - skipped
    print(f"{passed} passed, {failed} failed ({failed - len(ours)} with a reason), {skipped} skipped")
    return 1 if ours or not outcomes else 0


def _openresponses(source: Path, url: str, key: str) -> dict[str, str]:
    folder = environments.CACHE / "openresponses"
    if not (folder / "node_modules" / ".bin" / "bun").exists():
        _checkout(source, folder, ("bin", "src", "schema"))
        (folder / "package.json").write_text('{"private": true, "type": "module"}')
        _do(["npm", "install", "--no-audit", "--no-fund", "bun@1", "zod@3"], folder)
    else:
        _checkout(source, folder, ("bin", "src", "schema"))
    command = ["node_modules/.bin/bun", "run", "bin/compliance-test.ts", "-u", f"{url}/v1", "-k", key, "-m", "scripted"]
    ran = subprocess.run([*command, "--json"], cwd=folder, capture_output=True, text=True, timeout=500)
    found = re.search(r"^\{.*\}", ran.stdout, re.DOTALL | re.MULTILINE)
    if not found:
        return {"openresponses": f"failed: {(ran.stderr or ran.stdout)[-400:]}"}
    return {
        f"openresponses {each['id']}": each["status"]
        if each["status"] != "failed"
        else f"failed: {' '.join(map(str, each.get('errors') or []))[:400]}"
        for each in json.loads(found[0])["results"]
    }


def _ogx(source: Path, home: Path, url: str, key: str, only: Sequence[str]) -> dict[str, str]:
    environment = environments.python("ogx", OGX_PACKAGES)
    tree, suite = home / "ogx", home / "suite" / "integration"
    _checkout(source, tree, ("tests/integration",))
    shutil.copytree(tree / "tests" / "integration", suite)
    # Theirs begin with a server of theirs.
    shutil.copyfile(CONFTEST, suite / "conftest.py")
    (suite / "responses" / "conftest.py").unlink()
    report = home / "report.xml"
    paths = [str(suite / path) for path in (only or OGX_FOLDERS)]
    command = [
        *environment.command,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "-W",
        "ignore",
    ]
    command += ["-o", "asyncio_mode=auto", "-o", "addopts=", f"--junitxml={report}", "--rootdir", str(home / "suite")]
    told = {"CLIENTS_URL": url, "CLIENTS_KEY": key, "PYTHONPATH": str(home / "suite")}
    ran = subprocess.run([*command, *paths], cwd=home, env=os.environ | told, capture_output=True, text=True)
    return _read(report) if report.exists() else {"ogx": f"failed: {(ran.stdout + ran.stderr)[-600:]}"}


def _a2a(source: Path, home: Path, url: str, key: str, only: Sequence[str]) -> dict[str, str]:
    environment = environments.python("a2a-tck", A2A_PACKAGES)
    tree, report = home / "a2a-tck", home / "a2a.xml"
    _checkout(source, tree, ("tests", "tck", "specification", "pyproject.toml"), ref=A2A_BRANCH)
    told = ["--sut-host", url, "--webhook-host", "localhost", f"--junitxml={report}", "-o", "addopts="]
    quiet = ["-q", "-p", "a2a_key", "-p", "no:cacheprovider", "-W", "ignore"]
    command = [*environment.command, "-m", "pytest", *quiet, *told, *(only or ("tests/compatibility",))]
    variables = {"CLIENTS_KEY": key, "PYTHONPATH": os.pathsep.join([str(tree), str(HERE / "peers")])}
    ran = subprocess.run(command, cwd=tree, env=os.environ | variables, capture_output=True, text=True)
    return _read(report, "a2a") if report.exists() else {"a2a": f"failed: {(ran.stdout + ran.stderr)[-600:]}"}


def _read(report: Path, suite: str = "ogx") -> dict[str, str]:
    """Outcomes of a JUnit report that pytest has written here."""
    from xml.etree import ElementTree

    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{suite} {case.get('classname', '').rsplit('integration.', 1)[-1]}::{case.get('name')}"
        broken = case.find("failure") if case.find("failure") is not None else case.find("error")
        if broken is not None:
            outcomes[name] = f"failed: {' '.join((broken.get('message') or '').split())[:300]}"
        else:
            outcomes[name] = "skipped" if case.find("skipped") is not None else "passed"
    return outcomes


def _checkout(source: Path, folder: Path, parts: Sequence[str], ref: str = "HEAD") -> None:
    """Copy parts of a checkout, or of the newest commit of a bare git directory (of its branch ``ref``)."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (source / parts[0]).exists():
        archive = subprocess.run(["git", "-C", str(source), "archive", ref, *parts], capture_output=True, check=True)
        subprocess.run(["tar", "x", "-C", str(folder)], input=archive.stdout, check=True)
        return
    for part in parts:
        if (source / part).is_dir():
            shutil.copytree(source / part, folder / part, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / part, folder / part)


def _do(command: Sequence[str], folder: Path) -> None:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"{' '.join(command)} failed: {(ran.stderr or ran.stdout)[-400:]}")


if __name__ == "__main__":
    sys.exit(main())
