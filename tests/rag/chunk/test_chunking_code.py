"""Source code: definitions whole where they fit, their path, and what happens without a grammar."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from mainspring.core.errors import MissingExtra
from mainspring.core.settings import RagSettings
from mainspring.rag.chunk import syntax
from mainspring.rag.chunk.chunking import Chunk, chunker
from mainspring.rag.parse.markup.markdown import headings
from mainspring.rag.parse.parsed import Parsed
from tests.rag.conftest import WordEmbedder

PYTHON = '''"""A module."""

import os


@decorated
def whole(a, b):
    # A comment.
    return a + b


# What shops do.
class Shop:
    """Sells."""

    count = 0

    def sell(self, item):
        """Sell one."""
        self.count += 1
        if item:
            print("sold", item, "to", "whoever", "came", "by", "the", "shop")
        else:
            print("nothing", "was", "sold", "to", "anybody", "at", "all")
        return self.count

    async def close(self):
        await self.door.shut()
'''
SOURCES = {
    "a.ts": "export class Shop {\n  // Sells.\n  sell(item: number): void {\n    this.n += item;\n  }\n}\n",
    "a.tsx": "export const Shop = () => {\n  return <b>one two</b>;\n};\n",
    "a.js": "export default class Shop {\n  sell(item) {\n    return item;\n  }\n}\n",
    "a.go": "package main\n\n// Shop sells.\nfunc Shop(a int) int {\n\treturn a\n}\n",
    "a.rs": "impl Shop {\n    fn sell(&self) -> i32 {\n        self.x\n    }\n}\n",
    "a.rb": "class Shop\n  def sell(item)\n    item\n  end\nend\n",
    "a.php": "<?php\nclass Shop {\n  function sell($a) {\n    return $a;\n  }\n}\n",
    "a.cs": "class Shop {\n  void Sell(int a) {\n    b += a;\n  }\n}\n",
    "a.c": "int *Shop(int a) {\n  return a;\n}\n",
    "a.h": "namespace Shop {\nint sell(int a) { return a; }\n}\n",
    "a.sh": "Shop() {\n  echo one\n}\n",
    "a.java": "class Shop {\n  int sell(int a) {\n    return a;\n  }\n}\n",
}


class Marks(WordEmbedder):
    """Counts words and runs of punctuation marks, much as tokenizers do in code."""

    max_tokens = 200

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(re.findall(r"\w+|[^\w\s]+", text)) for text in texts]


def cut(text: str, name: str, size: int = 32, strategy: str = "code", kind: str = "code") -> list[Chunk]:
    rag = RagSettings(chunker=strategy, chunk_tokens=size, chunk_overlap=0)
    parsed = Parsed(text, headings=headings(text) if kind != "code" else (), kind=kind)
    return asyncio.run(chunker(rag, Marks()).chunk(parsed, name=name))


@pytest.fixture
def without_grammars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "grammar", lambda suffix: None)


@pytest.fixture(params=["tree-sitter", "ast"])
def python_parser(request: pytest.FixtureRequest) -> None:
    if request.param == "ast":
        request.getfixturevalue("without_grammars")
    else:
        pytest.importorskip("tree_sitter_python")


@pytest.mark.usefixtures("python_parser")
def test_definitions_stay_whole_and_name_their_path() -> None:
    found = {one.heading: PYTHON[one.start : one.end] for one in cut(PYTHON, "src/shop.py")}
    assert list(found) == ["shop", "shop > Shop", "shop > Shop > sell", "shop > Shop > close"]
    assert found["shop"].endswith("@decorated\ndef whole(a, b):\n    # A comment.\n    return a + b")
    assert found["shop > Shop"].startswith("# What shops do.\nclass Shop:")
    assert found["shop > Shop > close"].startswith("    async def close")
    whole = cut(PYTHON, "src/shop.py", 120)
    assert [one.heading for one in whole] == ["shop", "shop > Shop"]
    assert PYTHON[whole[1].start :].startswith("# What shops do.\nclass Shop:")


@pytest.mark.usefixtures("python_parser")
def test_chunks_are_whole_lines_and_cover_the_file() -> None:
    for path in sorted(Path(syntax.__file__).parent.glob("*.py")):
        text = path.read_text()
        covered: set[int] = set()
        for one in cut(text, path.name, 60):
            assert text[: one.start].endswith("\n") or one.start == 0
            assert one.end == len(text) or text[one.end :].lstrip(" ").startswith("\n")
            assert one.tokens <= 60
            assert not covered & set(range(one.start, one.end))
            covered.update(range(one.start, one.end))
        assert not [at for at, character in enumerate(text) if character.isalnum() and at not in covered]


@pytest.mark.parametrize("name", SOURCES)
def test_every_language_knows_its_definitions(name: str) -> None:
    pytest.importorskip("tree_sitter")
    padding = "\n" * 3 + SOURCES[name].replace("Shop", "Other").replace("<?php", "") * 8
    found = cut(SOURCES[name] + padding, name)
    assert any("Shop" in one.heading.split(" > ") for one in found) or "Shop" in found[0].embedded
    root = syntax.tree(SOURCES[name], name)
    assert root is not None
    assert "Shop" in [child.name for child in root.children()]


def test_a_definition_that_is_divided_keeps_its_path_once() -> None:
    pytest.importorskip("tree_sitter")
    text = (
        "export class Shop {\n" + "".join(f"  sell{n}(a) {{\n    return a + {n} + 1;\n  }}\n" for n in range(9)) + "}\n"
    )
    headings = [one.heading for one in cut(text, "a.js")]
    assert headings[0] == "a > Shop"
    assert not any("Shop > Shop" in heading for heading in headings)


def test_brackets_alone_are_no_chunk() -> None:
    pytest.importorskip("tree_sitter")
    text = "namespace a {\nnamespace b {\n" + "int f(int one) { return one + 1 ; }\n" * 12 + "}\n}\n"
    assert all(any(letter.isalnum() for letter in text[one.start : one.end]) for one in cut(text, "a.cpp"))


def test_deep_nesting_and_one_endless_line() -> None:
    pytest.importorskip("tree_sitter")
    assert cut("(\n" * 3000 + "x" + ")\n" * 3000, "a.js")
    found = cut("var a=1;" * 4000, "a.js", 40)
    assert max(one.end - one.start for one in found) <= 40 * 12


def test_broken_code_is_cut_all_the_same() -> None:
    assert cut("def broken(:\n    pass\n" * 30, "a.py")


@pytest.mark.usefixtures("without_grammars")
def test_without_a_grammar() -> None:
    source = SOURCES["a.go"] * 9
    with pytest.raises(MissingExtra, match=r"mainspring\[code\]"):
        cut(source, "a.go")
    assert cut(source, "a.go", strategy="auto") == cut(source, "a.go", strategy="structure")
    assert cut("def broken(:\n    pass\n" * 30, "a.py")


def test_auto_cuts_code_by_syntax_and_all_else_by_structure() -> None:
    assert [one.heading for one in cut(PYTHON, "a.py", strategy="auto")] == [
        one.heading for one in cut(PYTHON, "a.py", strategy="code")
    ]
    prose = "# Shop\n\nclass Shop: sells things. " * 9
    for strategy in ("auto", "code"):
        assert cut(prose, "a.md", strategy=strategy, kind="markdown") == cut(
            prose, "a.md", strategy="structure", kind="markdown"
        )


def test_what_no_grammar_reads_is_cut_by_lines() -> None:
    text = "[section]\n" + "".join(f"key{n} = value {n}\n" for n in range(60))
    found = cut(text, "settings.ini")
    assert all(text[one.start : one.end].startswith(("[", "key")) for one in found)
    assert len(found) > 1
