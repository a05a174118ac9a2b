"""Runs the clients' checks against a server of this tree.

    python -m tests.clients.run                          all of them
    python -m tests.clients.run --only litellm,ai-sdk    some of them
    python -m tests.clients.run --only litellm openai.   checks whose names begin so
    python -m tests.clients.run --newest                 with the newest version of each client
    python -m tests.clients.run --here                   those that the tests install, and openai's for Node

The environments are kept in ``~/.cache/mainspring/clients``, or in the folder that ``CLIENTS_CACHE`` names. The exit
status is 1 if a check failed that ``known.py`` does not lay at the client's door.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.clients import environments, known, pages
from tests.clients.families import FAMILIES, HERE, Family
from tests.clients.outcomes import Outcome, checked
from tests.clients.server import running

_MAKING = threading.Lock()
"""Several clients share an environment."""
RESULT = HERE / "results" / "clients.json"


def main() -> int:
    given = _arguments()
    only = given.only.split(",") if given.only else [family.name for family in FAMILIES]
    unknown = set(only) - {family.name for family in FAMILIES}
    if unknown:
        sys.exit(f"no client is called {', '.join(sorted(unknown))}; see tests/clients/families.py")
    chosen = [family for family in FAMILIES if family.name in only and (family.here or not given.here)]
    outcomes: list[Outcome] = []
    with _server(given) as (url, key), ThreadPoolExecutor(given.jobs) as pool:
        for found in pool.map(lambda family: _family(family, url, key, given), chosen):
            outcomes += found
            if given.result:
                _write(given.result, outcomes)
    faults = [outcome for outcome in outcomes if outcome.fault == "mainspring"]
    print(f"\n{_totals(outcomes)}")
    for outcome in faults:
        print(f"FAILED {outcome.client} {outcome.call}: {outcome.detail}")
    for stale in known.stale(outcomes):
        print(f"{stale} is in known.py and passes: take it out")
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs the clients' checks against a server of this tree.")
    parser.add_argument("areas", nargs="*", help="only checks whose names begin so")
    parser.add_argument("--only", default="", help="names of tests/clients/families.py, with commas between them")
    parser.add_argument("--newest", action="store_true", help="install the newest version of each client")
    parser.add_argument("--url", default="", help="a server that runs already, with --key")
    parser.add_argument("--key", default="")
    parser.add_argument(
        "--here", action="store_true", help="only the clients that the tests install, in this environment"
    )
    parser.add_argument("--jobs", type=int, default=2, help="clients that run at once")
    parser.add_argument("--result", type=Path, nargs="?", const=RESULT, help=f"write the outcomes ({RESULT.name})")
    return parser.parse_args()


@contextmanager
def _server(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    if given.url:
        yield given.url, given.key
        return
    with tempfile.TemporaryDirectory() as home, running(Path(home)) as server:
        yield server.url, server.key


def _family(family: Family, url: str, key: str, given: argparse.Namespace) -> list[Outcome]:
    begun = time.monotonic()
    try:
        with _MAKING:
            environment = environments.made(family, newest=given.newest, here=given.here)
    except environments.Unavailable as missing:
        print(f"{family.name:24} skipped: {missing}", flush=True)
        return [Outcome(family.name, "environment", "skipped", str(missing))]
    outcomes = checked(family, environment, url, key, given.areas)
    if family.page and not given.areas:
        outcomes += pages.checked(family, outcomes[0], environment, url, key)
    print(f"{family.name:24} {_totals(outcomes)}, {time.monotonic() - begun:.0f} s", flush=True)
    return outcomes


def _totals(outcomes: Sequence[Outcome]) -> str:
    counts = {word: sum(outcome.outcome == word for outcome in outcomes) for word in ("passed", "failed", "refused")}
    theirs = sum(outcome.fault == "client" for outcome in outcomes)
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    skipped = sum(outcome.outcome == "skipped" for outcome in outcomes)
    return f"{told} ({theirs} of the failures are the client's), {skipped} skipped"


def _write(path: Path, outcomes: Sequence[Outcome]) -> None:
    """The outcomes by client, in the place of those that the file has. Refusals and failures are told, and the names of
    what passed."""
    told: dict[str, Any] = {}
    today = datetime.now(UTC).date().isoformat()
    for outcome in outcomes:
        empty = {"measured_at": today, "versions": {}, "passed": [], "refused": {}, "failed": {}, "skipped": {}}
        client = told.setdefault(outcome.client, empty)
        client["versions"] |= outcome.versions
        if outcome.outcome == "passed":
            client["passed"].append(outcome.call)
        else:
            fault = {"fault": outcome.fault} if outcome.fault else {}
            detail = known.reason(outcome) if outcome.fault == "client" else outcome.detail
            client[outcome.outcome][outcome.call] = {"detail": detail, **fault}
    before = json.loads(path.read_text(encoding="utf-8"))["clients"] if path.exists() else {}
    machine = {"python": platform.python_version(), "node": environments.node_version()}
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {"machine": machine, "clients": before | told}
    path.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
