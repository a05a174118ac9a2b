"""Runs the official Python clients' own tests of their resources against a server of this tree.

    SUITE_OPENAI=/path/to/openai-python python -m tests.clients.suites.run
    SUITE_ANTHROPIC=/path/to/anthropic-sdk-python python -m tests.clients.suites.run test_messages.py
    ... --result     write the counts to ../results/suites.json

Each variable names a checkout of the client, or its unpacked source distribution, which has the tests of the version
that is released. Nothing of theirs is kept here. The client is installed in the version of the checkout; half of the
tests have it validate answers strictly. ``stand_in.py`` gives their placeholders real things. The exit status is 1 if a
test failed that ``expected.json`` does not give a reason for.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.clients import environments
from tests.clients.families import HERE
from tests.clients.server import running
from tests.clients.suites.stand_in import StandIn, between

EXPECTED = HERE / "suites" / "expected.json"
RESULT = HERE / "results" / "suites.json"
_PYTEST = ("pytest", "pytest-asyncio", "rich")


@dataclass(frozen=True)
class Suite:
    """``tests`` of ``tests/api_resources`` are those of resources that the server has."""

    variable: str
    package: str
    extra: str
    tests: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    base: str = "/v1"


SUITES = (
    Suite(
        "SUITE_OPENAI",
        "openai",
        "openai[aiohttp]",
        (
            *("audio/test_speech.py", "audio/test_transcriptions.py", "audio/test_translations.py"),
            *("chat", "conversations", "evals", "responses", "uploads", "vector_stores"),
            *("test_batches.py", "test_completions.py", "test_conversations.py", "test_embeddings.py"),
            *("test_evals.py", "test_files.py", "test_images.py", "test_models.py", "test_moderations.py"),
            *("test_responses.py", "test_uploads.py", "test_vector_stores.py"),
        ),
    ),
    Suite(
        "SUITE_ANTHROPIC",
        "anthropic",
        "anthropic[aiohttp]",
        (
            *("messages", "test_messages.py", "test_models.py", "beta/messages", "beta/test_messages.py"),
            "beta/test_models.py",
        ),
        ("inline-snapshot", "http-snapshot", "respx"),
        base="",
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the official clients' own tests.")
    parser.add_argument("only", nargs="*", help="only these files of tests/api_resources")
    parser.add_argument("-k", default="", help="only tests that fit, as pytest takes it")
    parser.add_argument("--result", action="store_true", help=f"write the counts to {RESULT.name}")
    given = parser.parse_args()
    chosen = [suite for suite in SUITES if os.environ.get(suite.variable)]
    if not chosen:
        sys.exit("set SUITE_OPENAI or SUITE_ANTHROPIC to a checkout of the client")
    known: Mapping[str, str] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    result = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    failures = 0
    for suite in chosen:
        told, faults = _checked(suite, Path(os.environ[suite.variable]), given, known)
        result[suite.package] = told
        failures += faults
    if given.result:
        RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if failures else 0


def _checked(
    suite: Suite, source: Path, given: argparse.Namespace, known: Mapping[str, str]
) -> tuple[dict[str, Any], int]:
    version = re.search(r'^version = "([\d.]+)"', (source / "pyproject.toml").read_text(), re.MULTILINE)
    assert version, f"{source} has no version"
    pinned = f"{suite.extra}=={version[1]}"
    environment = environments.python(f"suite-{suite.package}", (pinned, *_PYTEST, *suite.requirements))
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        for part in ("tests", "pyproject.toml"):
            copy = shutil.copytree if (source / part).is_dir() else shutil.copyfile
            copy(source / part, tree / part)
        with running(Path(folder) / "server") as server, between(server.url, server.key) as (url, stand_in):
            outcomes = _outcomes(suite, environment.command, tree, url, given.only or suite.tests, given.k)
        return _told(suite, version[1], outcomes, stand_in, known)


def _outcomes(
    suite: Suite, command: Sequence[str], tree: Path, url: str, only: Sequence[str], k: str
) -> dict[str, str]:
    report = tree / "report.xml"
    quiet = ["-q", "-p", "told", "-p", "no:cacheprovider"]
    addopts = "-p tests._alias_httpx" if (tree / "tests" / "_alias_httpx.py").exists() else ""
    options = ["-o", f"addopts={addopts}", "-W", "ignore", "--tb=line", f"--junitxml={report}", "-k", k]
    paths = [f"tests/api_resources/{each}" for each in only]
    ran = subprocess.run(
        [*command, "-m", "pytest", *quiet, *options, *paths],
        cwd=tree,
        env=os.environ
        | {"TEST_API_BASE_URL": url + suite.base, "STAND_IN": url, "PYTHONPATH": f"{tree}:{HERE / 'suites'}"},
        capture_output=True,
        text=True,
    )
    if not report.exists():
        return {suite.package: f"failed: {(ran.stdout + ran.stderr)[-800:]}"}
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('tests.api_resources.')}::{case.get('name')}"
        broken = case.find("failure") if case.find("failure") is not None else case.find("error")
        if broken is not None:
            outcomes[name] = f"failed: {' '.join((broken.get('message') or '').split())[:400]}"
        else:
            outcomes[name] = "skipped" if case.find("skipped") is not None else "passed"
    return outcomes


def _told(
    suite: Suite, version: str, outcomes: Mapping[str, str], stand_in: StandIn, known: Mapping[str, str]
) -> tuple[dict[str, Any], int]:
    """Counts by resource, what failed with its reason, and what was left out since it is refused by name."""
    counts: dict[str, Counter[str]] = {}
    failed: Counter[str] = Counter()
    faults = 0
    for name, outcome in outcomes.items():
        resource = name.split("::")[0].rpartition(".")[0].replace(".test_", ".").removeprefix("test_")
        word = "failed" if outcome.startswith("failed") else outcome
        counts.setdefault(resource, Counter())[word] += 1
        if word == "failed":
            reason = next((why for part, why in known.items() if part in f"{suite.package} {name}"), "")
            faults += not reason
            failed[reason or outcome] += 1
            print(f"{'expected' if reason else 'FAILED'} {name}: {reason or outcome.removeprefix('failed: ')}")
    left_out = {
        f"{_resource(test)} {field}": why for test, each in stand_in.left_out.items() for field, why in each.items()
    }
    total = sum(counts.values(), Counter[str]())
    print(f"{suite.package} {version}: {dict(total)}; {len(left_out)} fields left out")
    for field, why in sorted(left_out.items()):
        print(f"  without {field}: {why}")
    told = {
        "version": version,
        "measured_at": datetime.now(UTC).date().isoformat(),
        "total": dict(total),
        "resources": {name: dict(each) for name, each in sorted(counts.items())},
        "failed, by reason": dict(failed.most_common()),
        "left out, since it is refused by name": dict(sorted(left_out.items())),
    }
    return told, faults


def _resource(test: str) -> str:
    return test.split("::")[0].removeprefix("tests/api_resources/").removesuffix(".py").replace("test_", "")


if __name__ == "__main__":
    sys.exit(main())
