"""What keeps the code readable: how long functions and modules are and how many modules a folder has, and that no room
imports itself by its face."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

FUNCTION, MODULE, FOLDER = 60, 400, 15
SOURCE = ROOT / "src"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """Its tree, which nobody changes."""
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def trees() -> Iterator[None]:
    """Parsed once for all tests of this module, and given back after it."""
    yield
    parsed.cache_clear()


def too_long(tree: ast.AST) -> list[tuple[str, int]]:
    """Functions of more lines than are allowed, with their decorators left out."""
    found = [node for node in ast.walk(tree) if isinstance(node, Function)]
    lengths = [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in found]
    return [(name, lines) for name, lines in lengths if lines > FUNCTION]


def from_face(tree: ast.AST, name: str, modules: set[str]) -> list[str]:
    """What the module ``name`` imports from a package that it lies in. A module that is named whole is not meant to
    be: ``import package.module as module`` says where it is."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module in modules]
    return [node.module for node in found if node.module and name.startswith(f"{node.module}.")]


def test_functions_and_modules_are_short() -> None:
    long = {
        f"{path.relative_to(ROOT)}: {name}": lines
        for path in sources("src", "tests", "benchmarks", "scripts")
        for name, lines in too_long(parsed(path))
    }
    assert not long
    counts = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources("src", "benchmarks", "scripts")
    }
    assert not {path: lines for path, lines in counts.items() if lines > MODULE}


def test_modules_import_modules_and_not_the_face_of_their_room() -> None:
    trees: dict[str, ast.AST] = {}
    faces: set[str] = set()
    for path in sources("src"):
        tree = parsed(path)
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        if path.name != "__init__.py":
            trees[name] = tree
            continue
        package = name.removesuffix(".__init__")
        own = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        if any(f"{node.module}.".startswith(f"{package}.") for node in own):
            faces.add(package)
    assert {"mainspring.stores", "mainspring.core.settings", "mainspring.serving"} <= faces
    # These only say where their modules are, lazily.
    faces -= {"mainspring", "mainspring.engines", "mainspring.rag"}
    found = {name: from_face(tree, name, faces) for name, tree in trees.items()}
    assert not {name: each for name, each in found.items() if each}


def crowded(folders: dict[str, int], most: int) -> dict[str, int]:
    """Folders with more modules than ``most``."""
    return {folder: modules for folder, modules in folders.items() if modules > most}


def test_a_folder_has_few_modules() -> None:
    """``__init__`` apart. Migrations are one linear chain: nobody looks for his room there."""
    counts = Counter(
        str(path.parent.relative_to(SOURCE / "mainspring")) for path in sources("src") if path.name != "__init__.py"
    )
    del counts["stores/migrations/versions"]
    assert not crowded(counts, FOLDER)
    assert crowded({"a": FOLDER, "b": FOLDER + 1}, FOLDER) == {"b": FOLDER + 1}


def room_of(path: Path) -> str:
    """The room of a module; each feature is one."""
    parts = path.relative_to(SOURCE / "mainspring").parts
    return "/".join(parts[:2]) if parts[0] == "features" else parts[0]


def test_public_class_names_are_unique_in_a_room() -> None:
    found: dict[tuple[str, str], list[str]] = {}
    for path in sources("src"):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault((room_of(path), node.name), []).append(str(path.relative_to(SOURCE)))
    assert len(found) > 500
    assert not {name: places for name, places in found.items() if len(places) > 1}


NAMELESS_CLASSES = frozenset(
    "Asked Behind By Done Either Elsewhere Held Kept Line Moments Said Seen Shown Taken Theirs Told Wanted".split()
)
NAMELESS_MODULES = frozenset(
    "advice aside asked assembled bare benches both bound charged checked commits covered event_sight flight found "
    "given held here hide kept line listed looking made moments moves opened parts people remembered returning said "
    "shown split step stored told watched whole".split()
)
"""Names that say what was done with a thing, and not what it is."""


def nameless(path: Path, tree: ast.Module) -> list[str]:
    """The module and its classes that have such a name."""
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    return [name for name in (path.stem, *classes) if name in NAMELESS_CLASSES | NAMELESS_MODULES]


def test_names_say_what_a_thing_is() -> None:
    found = {str(path.relative_to(SOURCE)): nameless(path, parsed(path)) for path in sources("src")}
    assert not {path: names for path, names in found.items() if names}
    assert nameless(Path("store.py"), ast.parse("class Kept: ...\nclass Store: ...")) == ["Kept"]
    assert nameless(Path("people.py"), ast.parse("")) == ["people"]


def imported(tree: ast.AST, modules: set[str]) -> set[str]:
    """The modules that ``tree`` imports, wherever in it; the face of a package counts where no module is named."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & modules or {node.module}
    return found & modules


def circle(imports: dict[str, set[str]]) -> list[str]:
    """One circle of imports; empty where there is none."""
    try:
        list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_itself_by_way_of_others() -> None:
    trees = {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): parsed(path)
        for path in sources("src")
    }
    # The face of the whole says lazily where its modules are; nobody below imports it.
    del trees["mainspring"]
    assert not circle({name: imported(tree, set(trees)) - {name} for name, tree in trees.items()})
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})


def features_named(tree: ast.AST, names: set[str]) -> set[str]:
    """Features that a module names: by an import, wherever in it, or by a path or a module in a text."""
    found: set[str] = set()
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        texts = [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
        for said in (*modules, *texts):
            found |= set(re.findall(r"\bfeatures[./](\w+)", said)) & names
    return found


def test_nobody_below_or_above_names_a_feature() -> None:
    """They are found by their place, see ``core.slices``; by the composition root, gateway and command line too."""
    names = {path.parent.name for path in (SOURCE / "mainspring" / "features").glob("*/__init__.py")}
    assert {"monitor", "batches"} <= names
    outside = [path for path in sources("src") if not room_of(path).startswith("features/")]
    found = {str(path.relative_to(SOURCE)): features_named(parsed(path), names) for path in outside}
    assert not {path: named for path, named in found.items() if named}


def by_name(tree: ast.AST) -> list[int]:
    """The lines where a fact of an event is asked for by a word: in facts, in what JSON they are, or in a database."""
    found: list[int] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr):
            continue
        asked: ast.expr | None = None
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            asked = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            asked = node.func.value
        if isinstance(asked, ast.Call) and isinstance(asked.func, ast.Attribute) and asked.func.attr == "plain":
            asked = asked.func.value
        name = asked.id if isinstance(asked, ast.Name) else asked.attr if isinstance(asked, ast.Attribute) else ""
        given = node.args if isinstance(node, ast.Call) else []
        column = bool(given) and isinstance(given[0], ast.Attribute) and given[0].attr == "facts"
        words = any(isinstance(each, ast.Constant) for each in given)
        if name == "facts" or (words and column):
            found.append(node.lineno)
    return found


def test_facts_are_read_by_their_types() -> None:
    """Whoever reads a fact takes the dataclass of its kind: erasure, export and ledger follow from those."""
    found = {
        str(path.relative_to(SOURCE)): lines
        for path in sources("src")
        if "migrations" not in path.parts and (lines := by_name(parsed(path)))
    }
    assert not found
    for code in (
        *('facts["model"]', 'record.facts["model"]', 'facts.get("model")', 'each.facts.plain()["model"]'),
        'sight.field(events.c.facts, "model")',
    ):
        assert by_name(ast.parse(code)) == [1], code
    for code in (
        "facts.model",
        'sight.field(events.c.facts, name_of(CallFacts, "model"))',
        'kept["model"]',
        "facts[-1]",
    ):
        assert by_name(ast.parse(code)) == [], code


def test_the_looks_find_what_they_look_for() -> None:
    def function(lines: int) -> ast.AST:
        return ast.parse("async def f():\n" + "    x = 1\n" * (lines - 1))

    assert too_long(function(FUNCTION + 1)) == [("f", FUNCTION + 1)]
    assert too_long(function(FUNCTION)) == []
    tree = ast.parse("from mainspring.stores import Stores, ids\nimport mainspring.stores.sql.jobs as jobs")
    assert from_face(tree, "mainspring.stores.events.log", {"mainspring.stores"}) == ["mainspring.stores"]
    assert from_face(tree, "mainspring.system", {"mainspring.stores"}) == []
    named = ast.parse("def f():\n    from mainspring.features import monitor\nx = 'features/batches/settings.py'")
    assert features_named(named, {"monitor", "batches", "replays"}) == {"monitor", "batches"}


def chain(revisions: dict[str, str]) -> list[str]:
    """The revisions in their order, from ``down_revision`` by ``revision``. Raises ``AssertionError``: not one line."""
    after = {below: revision for revision, below in revisions.items()}
    assert len(after) == len(revisions), f"two migrations come behind one of {sorted(after)}"
    found: list[str] = []
    while (last := found[-1] if found else "") in after:
        found.append(after[last])
    assert len(found) == len(revisions), f"no chain leads to {sorted(revisions.keys() - set(found))}"
    return found


def test_migrations_are_one_line() -> None:
    """Each feature has its own in its folder, and two that were written side by side have one number."""
    pattern = re.compile(r'^(down_)?revision(?:: [^=]*)? = (?:"(\w+)"|None)$', re.MULTILINE)
    revisions: dict[str, str] = {}
    for path in sources("src"):
        if path.parent.name in ("migrations", "versions") and path.name[:4].isdigit():
            found = dict(pattern.findall(path.read_text(encoding="utf-8")))
            assert found[""] not in revisions, f"{path.name}: there is another {found['']}"
            assert path.name.startswith(found[""]), path.name
            revisions[found[""]] = found["down_"]
    assert len(chain(revisions)) > 30
    for wrong in ({"1": "", "2": "1", "3": "1"}, {"1": "", "3": "2"}):
        with pytest.raises(AssertionError):
            chain(wrong)
