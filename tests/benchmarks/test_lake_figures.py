"""The benchmark of the lake tells memory and CPU of each of its sizes."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pyarrow")

import lake


def _size(events: int, cpu_s: float, memory_mb: float) -> dict[str, Any]:
    found = {"present": {}, "hidden": {}, "alarms": {}, "clean": events, "read": 0}
    return {"events": events, "cpu_s": cpu_s, "memory_mb": memory_mb, "found": found}


def test_each_size_has_its_memory_and_its_cpu() -> None:
    figures = lake._figures({1_000: _size(1_010, 0.303, 300.4), 500: _size(505, 0.101, 200.0)}, "")
    told = {label: (each.value, each.unit) for label, each in figures.items()}
    assert told["most memory, with children, size 500"] == (200, "MB")
    assert told["most memory, with children, size 1000"] == (300, "MB")
    assert told["CPU an event, sync and all steps, size 500"] == (200, "us")
    assert told["CPU an event, sync and all steps, size 1000"] == (300, "us")
    assert figures["most memory, with children, size 500"].against == "a home of 505 events"
    assert told["dearest against cheapest event over the sizes"] == (1.5, "x")


def test_one_size_is_told_once() -> None:
    assert not [label for label in lake._figures({500: _size(505, 0.101, 200.0)}, "") if "size 500" in label]
