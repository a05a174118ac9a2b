"""Regular expressions take a time that grows with a text's length, and not with its square.

No other thread runs while one matches: a text that takes a second takes it from all tenants. Where only short texts
come, ``BOUNDED`` says what bounds them.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mainspring

PIECES = (
    *(
        "a",
        "a ",
        "A. ",
        "a.",
        "a, ",
        "a: ",
        "a@",
        "x-",
        "a_",
        "1",
        "1 ",
        "1,",
        "1.",
        "0-",
        "€1 ",
        " ",
        "\t",
        "\n",
        "\n\n",
    ),
    *(
        "- ",
        "| ",
        "# ",
        "[",
        "(",
        "<a ",
        '"',
        "'",
        "\\",
        "{",
        "`",
        "*",
        "no ",
        "if what is ",
        "http://",
        "order LS-2 ",
        "and ",
    ),
)
SHORT, LONG, MOST = 500, 4_000, 20
"""Eight times the text may take twenty times as long; a square takes sixty-four times."""
FAST_S = 0.002
"""What takes less for the long text has no square that anybody would feel."""
BOUNDED: dict[str, str] = {
    "rag.graph.read.relations:_BETWEEN": "what is between two names of a sentence, 90 characters at most",
    "rag.graph.read.relations:_ENDS": "80 characters at most, which the expression before it takes",
    "rag.parse.office.number_format:_LITERAL": "formats of more than 255 characters are not read",
    "rag.query.decompose:_AND": "questions of more than 1,000 characters are not split",
    "rag.query.decompose:_TOGETHER": "questions of more than 1,000 characters are not split",
    "rag.query.decompose:_COMPARED": "questions of more than 1,000 characters are not split",
    "engines.grammar.checks:_SET": "patterns of at most 2,000 characters that compile, so that each set is closed",
    "features.assistant.arithmetic:_TAIL": "texts of at most 200 characters",
    "features.assistant.arithmetic:_TOKEN": "texts of at most 200 characters",
    "features.assistant.enhance.protected:_SPANS": "texts of at most 600 characters",
    "features.assistant.enhance.protected:_CODE": "texts of at most 600 characters",
}
_SCANS = re.compile(r"(?:\b(\w+)\.)?\b(\w+)\.(?:search|findall|finditer|split|sub|subn)\(")
_SKIPPED = (".__main__", ".migrations", ".testing")


@functools.cache
def scanned() -> frozenset[tuple[str, str]]:
    """Module and name of what is looked for anywhere in a text; what is matched at a place alone is not in it."""
    found = set()
    for file in Path(mainspring.__file__).parent.rglob("*.py"):
        text = file.read_text()
        if "re.compile(" in text or "re.Pattern" in text or "import" in text:
            found |= {(module or file.stem, name) for module, name in _SCANS.findall(text)}
    return frozenset(found)


def expressions() -> Iterator[tuple[str, re.Pattern[str]]]:
    """All that modules hold, by the module that says it first."""
    seen: set[tuple[str, int]] = set()
    for found in pkgutil.walk_packages(mainspring.__path__, "mainspring."):
        if any(each in found.name for each in _SKIPPED):
            continue
        try:
            module = importlib.import_module(found.name)
        except ImportError:
            # It needs an extra that is not here.
            continue
        for name, value in list(vars(module).items()):
            for number, each in enumerate(_within(value)):
                if (each.pattern, each.flags) not in seen:
                    seen.add((each.pattern, each.flags))
                    yield f"{found.name.removeprefix('mainspring.')}:{name}:{number}", each


def _within(value: Any) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _within(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _within(each)


def seconds(expression: re.Pattern[str], text: str, anywhere: bool) -> float:
    began = time.process_time()
    if anywhere:
        for _ in expression.finditer(text):
            pass
    else:
        expression.match(text)
    return time.process_time() - began


def squares(name: str, expression: re.Pattern[str]) -> Iterator[str]:
    """The pieces of which a long text takes too long."""
    module, own, number = name.split(":")
    # Patterns in collections are called by other names.
    anywhere = (module.rpartition(".")[2], own) in scanned() or number != "0"
    for piece in PIECES:
        # What does not match at the end makes an expression try all that it can.
        short, long = (piece * (size // len(piece)) + "~" for size in (SHORT, LONG))
        taken = min(seconds(expression, short, anywhere) for _ in range(2))
        if taken * LONG / SHORT > FAST_S / 2 and seconds(expression, long, anywhere) > max(FAST_S, MOST * taken):
            yield piece


@pytest.mark.slow
def test_no_expression_takes_the_square_of_a_text() -> None:
    found = {name: piece for name, each in expressions() for piece in list(squares(name, each))[:1]}
    unknown = {name: piece for name, piece in found.items() if name.rpartition(":")[0] not in BOUNDED}
    assert unknown == {}


def test_a_square_is_found() -> None:
    assert list(squares("m:_A:1", re.compile(r"\s+$")))
    assert not list(squares("m:_A:1", re.compile(r"(?<!\s)\s+")))
