"""``mainspring eval online`` reads files and the home's own events, and names what it cannot read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring import stores
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from tests.cli.command import data, run_within

DAY = 86_400.0
END = 20_000 * DAY


def rows() -> list[dict[str, Any]]:
    found = []
    for person in range(8):
        for week in range(2 if person % 2 else 1):
            at = END - 20 * DAY + week * 7 * DAY + 60 + person
            facts = {"status": "completed", "user": f"p{person}", "requested": "desk", "duration_s": 1.0}
            found.append(
                {"id": f"ans_{person}{week}", "created_at": at, "kind": "answer", "subject": "", "facts": facts}
            )
        told = {"metric": "mail_accepted", "value": float(person < 6), "episode": "answer"}
        place = {"id": f"evt_{person}", "created_at": at + 1, "subject": f"ans_{person}0", "kind": "outcome"}
        found.append({**place, "facts": told})
    return [*found, {"id": "x", "created_at": END, "kind": "guard", "facts": {}, "subject": ""}]


def figures(done: Any) -> dict[str, tuple[float, int]]:
    assert done.returncode == 0, done.stderr
    return {each["metric"]: (each["value"], each["n"]) for each in data(done.stdout)["metrics"] if not each["arm"]}


def test_a_file_of_events(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in reversed(rows())))
    home = {"MAINSPRING_HOME": str(tmp_path / "home")}
    arguments = ("eval", "online", "--events", path, "--until", str(END), "--json")
    found = figures(run_within(arguments, home, tmp_path))
    assert found["acceptance"] == (0.75, 8)
    # Of eight users four came back in the next week; whoever came in the second had no whole week behind.
    assert found["retention"][0] == 0.5
    assert found["day_7"] == (0.5, 8)
    assert "time_to_complete" not in found
    shown = run_within(("eval", "online", "--events", path, "--until", str(END)), home, tmp_path)
    assert "acceptance" in shown.stdout
    assert "0.750" in shown.stdout


@pytest.mark.parametrize(
    "line", ["{", "[1]", '{"id": "a"}', '{"kind": "answer", "facts": 3, "created_at": 1, "id": "a"}']
)
def test_what_is_no_event_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(f"\n{line}\n")
    done = run_within(("eval", "online", "--events", path), {"MAINSPRING_HOME": str(tmp_path / "home")}, tmp_path)
    assert done.returncode == 1
    assert "line 2 is not an event" in done.stderr


async def test_the_events_of_a_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with stores.open(Settings(home=home)) as opened:
        await opened.events.settle(
            [
                EventRecord(
                    each["id"],
                    each["created_at"],
                    "default",
                    "trace",
                    each["subject"],
                    read(each["kind"], each["facts"]),
                    person=str(each["facts"].get("user", "")),
                )
                for each in rows()
            ]
        )
    arguments = ("eval", "online", "--until", str(END), "--json")
    assert figures(run_within(arguments, {"MAINSPRING_HOME": str(home)}, tmp_path))["acceptance"] == (0.75, 8)
    other = run_within((*arguments, "--tenant", "other"), {"MAINSPRING_HOME": str(home)}, tmp_path)
    assert figures(other) == {}
