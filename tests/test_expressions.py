"""Regular expressions take a time that grows with a text's length, and not with its square.

No other thread runs while one matches: a text that takes a second takes it from all tenants. All that modules hold and
all that functions write out are timed, over common pieces of text and over pieces made of each expression's own parts.
Where only short texts come, ``BOUNDED`` says what bounds them; where an expression is made of values, ``MADE`` says why
it is none that a text could slow down.
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
from mainspring.guards.detect import pii
from tests import expression_texts

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
    *("aA1-", "A-", "1-", "=", "::", "<", "e\u0301", "a.b@c.", "Ann Lee ", "  \n", "\r\n", "> ", "|\n", "/", "~~~"),
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
    "cli.serve.doctor:PASSWORD": "the operator's own settings",
    "features.evaluate.sets.multihop:plain": "titles of a public set",
    "features.evaluate.sets.scifact:_STRING": "rows of a public set",
    "features.translate.documents.pieces:_STRING": "a text that is JSON, whose quotes are all closed",
    "guards.detect.conversation:_QUOTED": "600 characters of a quotation, in texts of at most 4,000",
    "guards.rewrite.windows:_END": "no more than 301 characters are looked at",
    "rag.chunk.windows:_WORD": "space at the end is not looked at",
    "rag.parse.office.number_format:show": "formats of more than 255 characters are not read",
    "rag.parse.office.number_format:_section": "formats of more than 255 characters are not read",
    "rag.query.decompose:_DIFFER": "questions of more than 1,000 characters are not split",
    "rag.query.decompose:_sides": "questions of more than 1,000 characters are not split",
}
MADE: dict[str, str] = {
    "agents.tools.provenance:_known": "a text word for word, between two looks",
    "core.settings.serving.auto:_is_an_expression": "only compiled",
    "engines.grammar.checks:check_pattern": "only compiled",
    "engines.grammar.metaschema:_expression": "only compiled",
    "features.evaluate.capabilities.extract:letter": "possessive repeats, behind an answer's mark",
    "features.support.dialogue.intents:__init__": "the script's, in TABLES",
    "features.support.dialogue.intents:_tells": "a text word for word",
    "features.support.plans.planner:_reason": "of the shop's terms, in TABLES",
    "features.support.script.readers:reason": "in TABLES",
    "features.support.script.readers:problem": "in TABLES",
    "features.support.script.readers:address": "a postcode, and space within it",
    "features.support.script.readers:own_postcode": "a postcode, and space within it",
    "features.support.shop.warranty:part_of": "in TABLES",
    "guards.detect.pii:search": "timed below",
    "guards.rules.rewrite:_terms": "terms word for word",
    "guards.rules.safe_patterns:checked": "refused where a place could take many steps",
    "rag.answer.evidence.exact_names:_numbered": "a word",
    "serving.money.price_book:load": "of the price list, which is ours",
    "serving.money.price_book:_matches": "of the price list, for names of models",
    "serving.route.auto.rules:holds": "the operator's own rule",
}
TABLES = (
    "features.support.script.patterns",
    "features.support.script.readers",
    "features.support.script.shop",
    "features.support.shop.warranty",
)
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


def within_functions() -> Iterator[tuple[str, re.Pattern[str], bool]]:
    """(module and function, expression, whether it is looked for anywhere) of what functions write out or read."""
    root = Path(mainspring.__file__).parent
    for each in (*expression_texts.written(root), *expression_texts.told(root, TABLES)):
        if each.expression is not None:
            yield each.place, each.expression, each.anywhere
    for name in ("trigger", "begun", "either"):
        yield f"guards.detect.pii:{name}", getattr(pii.search(frozenset(pii.KINDS)), name), True


def seconds(expression: re.Pattern[str], text: str, anywhere: bool) -> float:
    began = time.process_time()
    if anywhere:
        for _ in expression.finditer(text):
            pass
    else:
        expression.match(text)
        expression.fullmatch(text)
    return time.process_time() - began


def squares(expression: re.Pattern[str], anywhere: bool) -> Iterator[str]:
    """The texts of which a long one takes too long."""
    for once, piece in [*(("", piece) for piece in PIECES), *expression_texts.pieces(expression)]:
        # What does not match at the end makes an expression try all that it can.
        for end in ("~", ""):
            short, long = (once + piece * (size // len(piece)) + end for size in (SHORT, LONG))
            taken = min(seconds(expression, short, anywhere) for _ in range(2))
            most = max(FAST_S, MOST * taken)
            # One slow run among a hundred thousand is the machine's: what is square is slow each time.
            if taken * LONG / SHORT > FAST_S / 2 and all(seconds(expression, long, anywhere) > most for _ in range(4)):
                yield f"{once!r}, then {piece!r}"


def _anywhere(name: str) -> bool:
    """Whether the expression of a module is looked for anywhere. Patterns in collections are called by other names."""
    module, own, number = name.split(":")
    return (module.rpartition(".")[2], own) in scanned() or number != "0"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_expression_takes_the_square_of_a_text() -> None:
    every = [(name.rpartition(":")[0], each, _anywhere(name)) for name, each in expressions()]
    found = {
        name: text
        for name, each, anywhere in (*every, *within_functions())
        if name not in BOUNDED
        for text in list(squares(each, anywhere))[:1]
    }
    assert found == {}


def test_what_is_made_of_values_is_known() -> None:
    made = {each.place for each in expression_texts.written(Path(mainspring.__file__).parent) if not each.expression}
    assert made == set(MADE)


def test_a_square_is_found() -> None:
    assert list(squares(re.compile(r"\s+$"), True))
    assert not list(squares(re.compile(r"(?<!\s)\s+"), True))
    # Of its own parts: only this beginning makes the blanks long.
    assert list(squares(re.compile(r"favourite\s+\s*y"), True))


def test_expressions_within_functions_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import re\nKNOWN = re.compile('a')\ndef f(text, given):\n"
        "    re.sub(r'\\s+$', '', text)\n    re.match(f'{given}x', text)\n    return re.search(given, text)\n"
    )
    found = [
        (each.place, each.expression and each.expression.pattern, each.anywhere)
        for each in expression_texts.written(tmp_path)
    ]
    assert found == [("a:f", r"\s+$", True), ("a:f", "wordx", False), ("a:f", None, True)]
