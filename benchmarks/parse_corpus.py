"""How a folder of files is taken: read, refused with a reason, or failed; by kind.

    python benchmarks/parse_corpus.py FOLDER [--each 40] [--show]

Every file goes through the parser as an ingest does it, in its limited child process. A refusal says what is wrong
with the file and what to do. A failure is any other end: an exception of a library that only passed through, time or
memory that ran out. No figures are kept, as they say as much of the files as of the parser; what fails unclearly is
to be mended. Collections that are good for this: the test files of apache/poi, python-openxml, openpyxl and pdf.js.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from mainspring.core.errors import MainspringError
from mainspring.core.settings import RagSettings
from mainspring.rag.parse.parser import Parser

_UNCLEAR = ("cannot be parsed", "crashed its parser")
_SLOW = "took longer than"


def chosen(folder: Path, each: int) -> Iterator[Path]:
    """At most ``each`` files of every ending, the same ones every time."""
    kinds: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            kinds[path.suffix.lower()].append(path)
    for paths in kinds.values():
        yield from sorted(paths, key=lambda path: zlib.crc32(path.name.encode()))[:each]


async def outcome(parser: Parser, path: Path) -> tuple[str, str]:
    """(read, refused, failed, slow or broke; what was said)."""
    try:
        parsed = await parser.parse(path)
    except MainspringError as error:
        said = str(error)
        state = "slow" if _SLOW in said else "failed" if any(each in said for each in _UNCLEAR) else "refused"
        return state, said
    except Exception as error:
        return "broke", f"{type(error).__name__}: {error}"
    return "read", f"{len(parsed.text)} characters, {parsed.parser}, {parsed.route}; {'; '.join(parsed.warnings)}"


async def measure(folder: Path, each: int, show: bool, timeout_s: float) -> None:
    parser = Parser(RagSettings(parse_timeout_s=timeout_s))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: Counter[str] = Counter()
    try:
        for path in chosen(folder, each):
            began = time.monotonic()
            state, said = await outcome(parser, path)
            kind = path.suffix.lower() or "(none)"
            counts[kind][state] += 1
            seconds[kind] += time.monotonic() - began  # type: ignore[assignment]
            if show or state not in ("read", "refused"):
                print(f"{state:8}{path.relative_to(folder)}: {said[:300]}", flush=True)
    finally:
        await parser.close()
    print(f"\n{'kind':10}{'read':>8}{'refused':>9}{'failed':>8}{'slow':>6}{'broke':>7}{'s/file':>9}")
    for kind, states in sorted(counts.items()):
        row = "".join(f"{states[state]:>{width}}" for state, width in
                      (("read", 8), ("refused", 9), ("failed", 8), ("slow", 6), ("broke", 7)))  # fmt: skip
        print(f"{kind:10}{row}{seconds[kind] / states.total():>9.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--each", type=int, default=40, help="files of every ending")
    parser.add_argument("--show", action="store_true", help="print what became of every file")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds a file")
    options = parser.parse_args()
    asyncio.run(measure(options.folder, options.each, options.show, options.timeout))


if __name__ == "__main__":
    main()
