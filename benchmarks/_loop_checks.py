"""What is true of a campaign when nothing runs any more: compared with what people were told, and with itself."""

from __future__ import annotations

import collections
import itertools
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _loop_huts import ENDS, NAME, TAUGHT, Told

_WAY = ("exporting", "training", "comparing")
_BAD = (*_WAY, "withdrawing")
_ENDS = {
    "promoted": ("promoting", "watching", "promoted"),
    "disliked": ("promoting", "watching", "undoing", "rolled back"),
    "worse": ("withdrawing", "refused"),
}
_MOVES = {
    "promoted": ("shadow", "canary", "canary", "promoted"),
    "disliked": ("shadow", "canary", "canary", "promoted", "withdrawn"),
    "worse": ("shadow", "canary", "canary", "withdrawn"),
}
"""What becomes of the second candidate. The second share of the canary is not always reached."""


@dataclass(frozen=True, slots=True)
class House:
    """The database of a home, and its folder."""

    home: Path
    database: sqlite3.Connection

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        self.database.row_factory = sqlite3.Row
        return [dict(each) for each in self.database.execute(query, values)]


def wrong(home: Path, kind: str, campaign: str, told: Told, lineage: dict[str, Any] | None) -> list[str]:
    """What is not as it should be, after one campaign of a home. ``lineage`` is what the server said of an answer of
    the candidate, while that was there."""
    database = sqlite3.connect(home / "mainspring.db")
    try:
        house = House(home, database)
        found = [*_feedback(house, told), *_decisions(house, kind, campaign), *_placements(house, kind, campaign)]
        found += [*_orders(house, campaign), *_counts(house, kind, campaign), *_left(house)]
        return [*found, *_lineage(kind, campaign, told, lineage)]
    finally:
        database.close()


def _feedback(house: House, told: Told) -> list[str]:
    """Each acknowledged thumb and edit is there once, as it was given; so is each answer."""
    found = []
    events = house.rows("SELECT id, subject, facts FROM events WHERE kind = 'feedback'")
    there = collections.Counter(each["id"] for each in events)
    if lost := [each for each in told.thumbs if there[each] != 1]:
        found.append(f"{len(lost)} of {len(told.thumbs)} acknowledged thumbs are there not once: {lost[:3]}")
    of = {each["id"]: each["subject"] for each in events}
    if strange := [each for each, answer in told.thumbs.items() if of.get(each) != answer]:
        found.append(f"{len(strange)} thumbs are another answer's: {strange[:3]}")
    edited = sum(bool(json.loads(each["facts"]).get("edited")) for each in events)
    if edited != len(told.edits):
        found.append(f"{edited} edits are there, {len(told.edits)} were acknowledged")
    answers = collections.Counter(each["id"] for each in house.rows("SELECT id FROM events WHERE kind = 'answer'"))
    if missing := [each for each in told.answers if answers[each] != 1]:
        found.append(f"{len(missing)} of {len(told.answers)} answers are there not once: {missing[:3]}")
    return found


def _decisions(house: House, kind: str, campaign: str) -> list[str]:
    """Transitions follow each other without a gap or a repetition, each with its event, on the way of its kind."""
    found = []
    steps = house.rows("SELECT * FROM improve_steps WHERE campaign = ? ORDER BY number", campaign)
    numbers = [each["number"] for each in steps]
    if numbers != list(range(len(steps))):
        found.append(f"transitions have the numbers {numbers}")
    for one, other in itertools.pairwise(steps):
        if other["before"] != one["stage"]:
            found.append(f"{other['stage']} follows {other['before']}, but {one['stage']} was before")
    way = _plain([each["stage"] for each in steps])
    wanted = [*_BAD, *_WAY, "attacking", "waiting", "shadow", "canary", *_ENDS[kind]]
    if way != wanted:
        found.append(f"the way is {way}: {[each['reason'] for each in steps][-3:]}")
    told = house.rows("SELECT facts FROM events WHERE kind = 'improvement' ORDER BY settled")
    stages = [json.loads(each["facts"])["stage"] for each in told]
    if stages != [each["stage"] for each in steps]:
        found.append(f"{len(stages)} events for {len(steps)} transitions: {stages}")
    (row,) = house.rows("SELECT * FROM improve_campaigns WHERE id = ?", campaign)
    if row["stage"] != ENDS[kind] or row["number"] != len(steps) - 1 or row["ended_at"] is None:
        found.append(f"it is {row['stage']}, number {row['number']}: {row['reason']}")
    outcomes = [each["outcome"] for each in json.loads(row["rungs"])]
    ends = {"promoted": ["promoted"], "disliked": ["promoted", "rolled back"], "worse": ["refused"]}[kind]
    if outcomes != ["refused", *ends]:
        found.append(f"its rungs ended {outcomes}")
    approvals = house.rows("SELECT id, status FROM approvals")
    if [each["status"] for each in approvals] != ["taken"]:
        found.append(f"a person was asked {len(approvals)} times: {approvals}")
    return found


def _plain(stages: Sequence[str]) -> list[str]:
    """Without a canary that grew."""
    return [each for at, each in enumerate(stages) if at == 0 or (each, stages[at - 1]) != ("canary", "canary")]


def _placements(house: House, kind: str, campaign: str) -> list[str]:
    """The door did each thing once: nothing is under trial, and nothing that was refused is askable."""
    found = []
    made = _candidates(house, campaign)
    if len(made) != 2:
        return [f"{len(made)} candidates were made"]
    moves = house.rows("SELECT * FROM variant_moves ORDER BY number")
    second = [each["action"] for each in moves if each["candidate"] == made[1]]
    second = second[1:] if second[:1] == ["admitted"] else second
    wanted = list(_MOVES[kind])
    if second not in (wanted, [each for at, each in enumerate(wanted) if at != 2]):
        found.append(f"the door did {second}")
    first = [each["action"] for each in moves if each["candidate"] == made[0]]
    if [each for each in first if each != "admitted"] != ["withdrawn"]:
        found.append(f"the refused candidate: {first}")
    events = house.rows("SELECT id FROM events WHERE kind = 'variant'")
    if len(events) != len(moves):
        found.append(f"{len(events)} events for {len(moves)} changes of what is served")
    status = {each["id"]: each["status"] for each in house.rows("SELECT id, status FROM variants")}
    kept = "admitted" if kind == "promoted" else "withdrawn"
    if [status.get(each) for each in made] != ["withdrawn", kept]:
        found.append(f"the candidates are {status}")
    (place,) = house.rows("SELECT * FROM variant_places WHERE application = ?", NAME)
    currents = [made[1]] if kind == "promoted" else []
    if json.loads(place["currents"]) != currents or place["candidate"] or place["stage"]:
        found.append(f"the application uses {place}")
    trials = house.rows("SELECT name, status FROM trials")
    if [each["status"] for each in trials] != ["ended"]:
        found.append(f"trials: {trials}")
    return found


def _candidates(house: House, campaign: str) -> list[str]:
    query = "SELECT id FROM improve_variants WHERE campaign = ? ORDER BY made_at"
    return [each["id"] for each in house.rows(query, campaign)]


def _orders(house: House, campaign: str) -> list[str]:
    """What a stage orders of others is done once."""
    found = []
    jobs = house.rows("SELECT id, state, deaths FROM training_jobs")
    if len(jobs) != 2 or {each["state"] for each in jobs} != {"succeeded"}:
        found.append(f"jobs of training: {jobs}")
    for each in jobs:
        found += _in_order(house.home / "training" / "jobs" / each["id"] / "metrics.jsonl")
    versions = house.rows("SELECT name, number, state FROM training_versions")
    if len(versions) != 2 or {each["state"] for each in versions} != {"ready"}:
        found.append(f"versions: {versions}")
    experiments = house.rows("SELECT id, state FROM experiments")
    # The first rung is refused by its first one.
    if len(experiments) != 3 or {each["state"] for each in experiments} != {"completed"}:
        found.append(f"comparisons: {experiments}")
    if len(exports := house.rows("SELECT id FROM lake_exports")) != 1:
        found.append(f"{len(exports)} exports")
    if len(rows := house.rows("SELECT id FROM improve_campaigns")) != 1:
        found.append(f"{len(rows)} campaigns for {campaign}")
    return found


def _in_order(metrics: Path) -> list[str]:
    """The steps of a run follow each other, but for those that a killed process had not saved yet."""
    if not metrics.exists():
        return []
    steps = [
        json.loads(line)["step"] for line in metrics.read_text(encoding="utf-8").splitlines() if line.endswith("}")
    ]
    jumps = [(one, other) for one, other in itertools.pairwise(steps) if other > one + 1]
    return [f"the steps of a run are {steps}"] if jumps else []


def _counts(house: House, kind: str, campaign: str) -> list[str]:
    """What was counted of answers and thumbs, by what gave them, is what the events say."""
    found = []
    events: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    by: dict[str, str] = {}
    stopped: set[str] = set()
    for each in house.rows("SELECT id, facts FROM events WHERE kind = 'answer'"):
        facts = json.loads(each["facts"])
        by[each["id"]] = facts.get("variant") or ""
        if facts.get("status") == "cancelled":
            # Whoever asked has gone: it is no answer that counts.
            stopped.add(each["id"])
    followed = {each["answer"]: each["variant"] for each in house.rows("SELECT * FROM improve_answers")}
    if wrong_ones := [each for each, variant in followed.items() if by.get(each, "?") != variant]:
        found.append(f"{len(wrong_ones)} answers are counted to another variant: {wrong_ones[:3]}")
    for each in house.rows("SELECT subject, facts FROM events WHERE kind = 'feedback' ORDER BY settled"):
        if each["subject"] in followed:
            events[followed[each["subject"]]][json.loads(each["facts"])["rating"]] += 1
    for each in house.rows("SELECT * FROM improve_counts"):
        seen = events[each["variant"]]
        if (each["ups"], each["downs"]) != (seen["up"], seen["down"]):
            told = f"{each['ups']} up and {each['downs']} down"
            found.append(f"{each['variant'] or 'what is set'} has {told}, its events say {dict(seen)}")
        count = sum(variant == each["variant"] for answer, variant in followed.items() if answer not in stopped)
        if each["answers"] != count:
            found.append(f"{each['variant'] or 'what is set'} has {each['answers']} answers of {count}")
    if kind != "worse" and not any(each["variant"] in _candidates(house, campaign) for each in _given(house)):
        found.append("the candidate gave no answer")
    return found


def _given(house: House) -> list[dict[str, Any]]:
    return house.rows("SELECT variant, answers FROM improve_counts WHERE answers > 0")


def _left(house: House) -> list[str]:
    """Nothing half done lies about. (Drafts of orders that were killed are swept after an hour.)"""
    found = []
    if left := [each for each in (house.home / "improve").rglob("*") if each.is_file()]:
        found.append(f"rows of campaigns are left: {[each.name for each in left][:3]}")
    # The lease of recurring work (its id is its kind) ends half a minute after the process that died with it.
    running = house.rows("SELECT kind, id, state FROM jobs WHERE state = 'running' AND NOT (tenant = '' AND id = kind)")
    if running:
        found.append(f"jobs are under way: {running}")
    return found


def _lineage(kind: str, campaign: str, told: Told, lineage: dict[str, Any] | None) -> list[str]:
    if lineage is None:
        return ["nobody knows what gave the answers of the candidate"] if kind != "worse" else []
    made = lineage["given_by"]
    if made is None or made["campaign"] != campaign:
        return [f"an answer of the candidate is given by {made}"]
    said = {fed["id"] for each in made["sources"]["data"] for fed in each["feedback"]}
    if len(made["sources"]["data"]) != TAUGHT or not set(told.edits) <= said:
        return [f"{len(made['sources']['data'])} sources with {len(said & set(told.edits))} of {TAUGHT} edits"]
    return []
