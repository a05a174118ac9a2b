"""What a benchmark reports: figures against their floors, printed and kept as ``results/<name>.json``.

A result says on what kind of machine it was measured and how busy others kept it meanwhile: ``others`` is the share
of all cores' time that went to processes which this benchmark did not start (None where the system does not say).
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NoReturn

RESULTS = Path(__file__).parent / "results"
SKIPPED = 77
"""Exit status of a benchmark that cannot run here, and said why."""
BUSY = 0.1
"""With more than this share of the machine in others' hands a result is marked as measured on a busy machine."""
_VECTORS = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "bf16", "asimd")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``floor`` must be reached and ``aim`` is hoped for, in the direction of ``better``;
    ``against`` says what it was compared with or measured on."""

    value: float
    unit: str
    better: Literal["higher", "lower"]
    floor: float | None = None
    aim: float | None = None
    against: str = ""

    @property
    def verdict(self) -> str:
        """``aim``, ``floor`` or ``below`` for what the value reaches; empty without a floor."""
        if self.floor is None:
            return ""
        sign = 1 if self.better == "higher" else -1
        if self.aim is not None and sign * (self.value - self.aim) >= 0:
            return "aim"
        return "floor" if sign * (self.value - self.floor) >= 0 else "below"


@dataclass(frozen=True, slots=True)
class Clock:
    """CPU seconds of the whole machine, and of this process with all that it started."""

    at: float
    busy: float
    own: float

    @classmethod
    def now(cls) -> Clock | None:
        """None where there is no ``/proc/stat``."""
        try:
            with open("/proc/stat", encoding="ascii") as file:
                fields = [int(field) for field in file.readline().split()[1:]]
        except (OSError, ValueError):
            return None
        # user, nice, system, irq, softirq; what is idle, waits or was stolen is not counted.
        ticks = sum(fields[index] for index in (0, 1, 2, 5, 6))
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own = sum(each.ru_utime + each.ru_stime for each in used)
        tick = os.sysconf("SC_CLK_TCK")
        return cls(time.monotonic(), ticks / tick, own + _descendants() / tick)

    def others(self, later: Clock) -> float:
        """Share of all cores' time between two readings that went to processes of others."""
        capacity = (later.at - self.at) * (os.cpu_count() or 1)
        if capacity <= 0:
            return 0.0
        return min(1.0, max(0.0, ((later.busy - self.busy) - (later.own - self.own)) / capacity))


def _descendants() -> int:
    """CPU ticks of the processes that run below this one, with those that each of them has waited for."""
    below: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything.
            fields = path.read_bytes().rpartition(b")")[2].split()
        except OSError:
            # It has ended.
            continue
        pid = int(path.parent.name)
        below.setdefault(int(fields[1]), []).append(pid)
        ticks[pid] = sum(int(each) for each in fields[11:15])
    found, waiting = 0, list(below.get(os.getpid(), ()))
    while waiting:
        pid = waiting.pop()
        found += ticks[pid]
        waiting += below.get(pid, ())
    return found


_START = Clock.now()
_LOAD = round(os.getloadavg()[0], 2)


def report(name: str, figures: Mapping[str, Figure], *, results: Path = RESULTS) -> None:
    """Print ``figures`` as a table and write them to ``results/<name>.json``."""
    end = Clock.now()
    others = None if _START is None or end is None else round(_START.others(end), 3)
    print(table(figures))
    if others is not None and others > BUSY:
        print(f"The machine was busy: others used {others:.0%} of it. Do not compare these with other runs.")
    result = {
        "name": name,
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "load_at_start": _LOAD,
        "others": others,
        "figures": {label: asdict(figure) for label, figure in figures.items()},
    }
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def earlier(name: str, keep: Callable[[str], bool]) -> dict[str, Figure]:
    """The rows of the result ``name`` that ``keep`` names, as they were reported before: for a run that measures the
    others."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return {row: Figure(**each) for row, each in rows.items() if keep(row)}


def skip(reason: str) -> NoReturn:
    """End the benchmark as one that cannot run here."""
    print(f"skipped: {reason}", file=sys.stderr)
    raise SystemExit(SKIPPED)


def data_sets() -> Path:
    """The folder of public data sets; ends the benchmark where ``MAINSPRING_DATA`` names none."""
    named = os.environ.get("MAINSPRING_DATA", "")
    if not named:
        skip("MAINSPRING_DATA names no folder of data sets (docs/reference/benchmarks-data.md)")
    return Path(named)


def table(figures: Mapping[str, Figure]) -> str:
    """The figures as aligned text, one a line."""
    rows = [("", "value", "unit", "floor", "aim", "", "against")]
    rows += [
        (
            label,
            number(figure.value),
            figure.unit,
            number(figure.floor),
            number(figure.aim),
            figure.verdict,
            figure.against,
        )
        for label, figure in figures.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    right = (1, 3, 4)
    lines = (
        "  ".join(cell.rjust(width) if i in right else cell.ljust(width) for i, (cell, width) in cells)
        for cells in (list(enumerate(zip(row, widths, strict=True))) for row in rows)
    )
    return "\n".join(line.rstrip() for line in lines)


def number(value: float | None) -> str:
    """A number as people read it: about three digits that mean something; empty for None."""
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def machine() -> str:
    """Processor, cores, memory and Python: nothing that names this machine."""
    parts = [*_processor(), f"{os.cpu_count()} cores", _memory(), f"Python {platform.python_version()}"]
    return ", ".join(part for part in parts if part)


def _processor() -> tuple[str, str]:
    """Its name, and the widest vector instructions that inference can use: they decide more than the clock."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), ""
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    wide = next((flag for flag in _VECTORS if flag in flags), "")
    return facts.get("model name", platform.machine()), wide.replace("_", "-")


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return ""
    return f"{total / 2**30:.0f} GB"
