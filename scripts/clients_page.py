"""Writes the table of docs/guides/clients/README.md from the result of the last run of other people's clients.

python scripts/clients_page.py            # write it
python scripts/clients_page.py --check    # exit status 1 where it is not what the result says
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "guides" / "clients" / "README.md"
RESULT = ROOT / "tests" / "clients" / "results" / "clients.json"
OTHERS = ("peers.json", "suites.json")
NAMES = {"openresponses": "OpenResponses' compliance suite", "ogx": "OGX's integration tests", "a2a": "A2A's kit"}
REASONS, LEFT_OUT = "failed, by reason", "left out, since it is refused by name"
COUNTS = ("passed", "failed", "skipped")
START, END = "<!-- the result: make test-clients -->", "<!-- end of the result -->"


def page() -> str:
    """The whole page, with the table of the result."""
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    shown = table(json.loads(RESULT.read_text(encoding="utf-8")))
    others = suites(*(json.loads((RESULT.parent / name).read_text(encoding="utf-8")) for name in OTHERS))
    return f"{before}{START}\n\n{shown}\n{others}\n{END}{after}"


def suites(peers: dict[str, Any], official: dict[str, Any]) -> str:
    """The suites of others: their counts, what failed by its reason, and what is refused by name."""
    counted = [(NAMES[name], told["measured_at"], told, told[REASONS]) for name, told in peers.items()]
    counted += [
        (f"{name} {told['version']}, its own tests", told["measured_at"], told["total"], told[REASONS])
        for name, told in official.items()
    ]
    lines = ["### Suites of others", "", "| Suite | Date | Passed | Failed | Skipped |", "|---|---|---:|---:|---:|"]
    for name, date, counts, _ in counted:
        lines.append(f"| {name} | {date} | {' | '.join(str(counts.get(word, 0)) for word in COUNTS)} |")
    lines += ["", "| Suite | Failed | Reason |", "|---|---:|---|"]
    for name, _, _, reasons in counted:
        lines += [f"| {name} | {count} | {_cell(reason)} |" for reason, count in reasons.items()]
    lines += ["", "| Client | Tests of | Passed | Failed |", "|---|---|---:|---:|"]
    for name, told in official.items():
        for resource, counts in told["resources"].items():
            lines.append(f"| {name} | {resource} | {counts.get('passed', 0)} | {counts.get('failed', 0)} |")
    lines += ["", "| Client | Left out of its requests | The server's words |", "|---|---|---|"]
    for name, told in official.items():
        lines += [f"| {name} | {_cell(field)} | {_cell(words)} |" for field, words in told[LEFT_OUT].items()]
    return "\n".join([*lines, ""])


def table(result: dict[str, Any]) -> str:
    """A line a client; then its calls, and what was refused or failed."""
    clients = result["clients"]
    machine = result["machine"]
    total = Counter[str]()
    lines = [
        "| Client | Versions | Date | Passed | Refused by name | Failed | Not run |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, told in clients.items():
        counts = {word: len(told.get(word, ())) for word in ("passed", "refused", "failed", "skipped")}
        total.update(counts)
        versions = ", ".join(f"{package} {version}" for package, version in told["versions"].items())
        lines.append(
            f"| {name} | {versions} | {told['measured_at']} | {' | '.join(str(count) for count in counts.values())} |"
        )
    checks = sum(total.values())
    head = (
        f"{checks} checks (Python {machine['python']}, Node {machine['node']}): "
        f"{total['passed']} passed, {total['refused']} were refused by name, {total['failed']} failed, "
        f"{total['skipped']} could not be run there."
    )
    return "\n".join([head, "", *lines, "", *_calls(clients), *_others(clients)])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())[:300]


def _calls(clients: dict[str, Any]) -> list[str]:
    lines = ["### Calls that passed", "", "| Client | Calls |", "|---|---|"]
    for name, told in clients.items():
        areas: dict[str, list[str]] = {}
        for call in told["passed"]:
            area, _, what = call.partition(".")
            areas.setdefault(area, []).append(what)
        shown = "; ".join(f"**{area}** {', '.join(what)}" for area, what in areas.items())
        lines.append(f"| {name} | {shown.replace('_', ' ')} |")
    return [*lines, ""]


def _others(clients: dict[str, Any]) -> list[str]:
    lines = ["### Calls that did not", "", "| Client | Call | What happened | Reason |", "|---|---|---|---|"]
    for name, told in clients.items():
        for word in ("refused", "failed", "skipped"):
            for call, each in told.get(word, {}).items():
                happened = f"{word}, {each['fault']}" if each.get("fault") else word
                lines.append(f"| {name} | {call} | {happened} | {_plain(each['detail'])} |")
    return [*lines, ""]


def _plain(detail: str) -> str:
    """One line that a table takes."""
    return " ".join(detail.split()).replace("|", "\\|").replace("<", "&lt;")[:220]


def main() -> int:
    wanted = page()
    if "--check" not in sys.argv:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"{PAGE.relative_to(ROOT)} is not what the result says: run python scripts/clients_page.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
