"""Each part with a name is found in the registry: chunkers, connectors, stores, caches; and nothing looks elsewhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mainspring import kinds
from mainspring.core import plugins
from mainspring.core.errors import InvalidRequest, SettingsError, UnknownModel
from mainspring.core.plugins import Registry
from mainspring.core.settings import ModelsSettings, RagSettings, Settings, StoresSettings
from mainspring.core.settings.endpoints import RemoteModel
from mainspring.core.types import Context, Responder
from mainspring.engines import builtin
from mainspring.engines.base import Engine, Reranked, Reranker
from mainspring.rag import assembly
from mainspring.rag.chunk.chunking import chunker
from mainspring.rag.connect.base import Batch, Connector, SyncState
from mainspring.rag.connect.registry import Spec, connector, stored
from mainspring.stores import open_vectors
from mainspring.testing import WordEmbedder
from tests.conftest import ROOT
from tests.serving.house import Recited

SOURCE = ROOT / "src" / "mainspring"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry in the place of the process's, without plugins."""
    made = Registry()
    monkeypatch.setattr(plugins, "registry", lambda: made)
    return made


class Wiki:
    """A connector of a plugin."""

    kind = "wiki"
    options = frozenset({"language"})

    def __init__(self, location: str = "") -> None:
        self.location = location

    def names(self, text: str) -> bool:
        return text.startswith("wiki:")

    def open(self, spec: Spec, options: Mapping[str, Any], home: Path) -> Connector:
        return Wiki(f"{spec.text}?{options.get('language', 'en')}")

    def owns(self, key: str) -> bool:
        return False

    async def changes(self, seen: SyncState) -> AsyncIterator[Batch]:
        yield Batch()


def test_a_connector_of_a_plugin_reads_what_it_names(registry: Registry, tmp_path: Path) -> None:
    assert Spec("wiki:harbour").kind == "folder"
    registry.add(kinds.CONNECTOR, "wiki", Wiki)
    spec = Spec("wiki:harbour", {"language": "de"})
    assert (spec.kind, spec.known) == ("wiki", frozenset({"language"}))
    made = connector(spec, tmp_path)
    assert made.location == "wiki:harbour?de"
    assert stored(spec, made).text == "wiki:harbour?de"
    with pytest.raises(InvalidRequest, match=r"depth is not an option of a wiki source.*language"):
        connector(Spec("wiki:harbour", {"depth": 2}), tmp_path)
    assert Spec("https://example.com").kind == "web"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://example.com/a", "web"),
        ("git+https://example.com/a@main", "git"),
        ("sql+postgresql://u:p@h/d", "sql"),
        ("mbox:/var/mail/a", "mail"),
        ("s3://bucket/prefix", "storage"),
        ("/srv/documents", "folder"),
    ],
)
def test_each_source_has_its_connector(registry: Registry, text: str, kind: str) -> None:
    assert Spec(text).kind == kind


def test_the_settings_name_the_store_the_cache_and_the_chunker(registry: Registry, tmp_path: Path) -> None:
    from mainspring.stores.kinds import CacheStores

    vectors, caches = object(), CacheStores("answers", "similar")  # type: ignore[arg-type]
    registry.add("vectors", "mine", lambda settings: vectors)
    registry.add(kinds.CACHE, "mine", lambda settings, redis: caches)
    settings = Settings(home=tmp_path, stores=StoresSettings(vectors="lance", cache="mine"))
    assert type(open_vectors(settings)).__name__ == "LanceVectors"
    assert registry.make(kinds.CACHE, settings.stores.cache, settings, None) is caches
    with pytest.raises(SettingsError, match=r"no vectors named 'lanc'.*stores\.vectors.*Did you mean lance"):
        open_vectors(Settings(home=tmp_path, stores=StoresSettings(vectors="lanc")))
    with pytest.raises(SettingsError, match=r"no cache named 'fil'.*Did you mean file"):
        registry.get(kinds.CACHE, "fil")
    with pytest.raises(SettingsError, match=r"no chunker named 'structur'.*rag\.chunker.*Did you mean structure"):
        chunker(RagSettings(chunker="structur"), WordEmbedder())
    with pytest.raises(SettingsError, match=r"no database named 'mysql'.*stores\.database.*sqlite, postgresql"):
        registry.get(kinds.DATABASE, "mysql")


def test_what_a_plugin_registers_untyped_is_checked_when_it_is_used(registry: Registry, tmp_path: Path) -> None:
    registry.take("mine", Vectors())
    with pytest.raises(SettingsError, match=r"the vectors 'mine' is a object, which lacks .*search.*VectorStore"):
        open_vectors(Settings(home=tmp_path, stores=StoresSettings(vectors="mine")))


class Sized(WordEmbedder):
    def __init__(self, model: str) -> None:
        self.dimensions = int(model)


class Shortest:
    """Ranks short passages first."""

    fingerprint = "1"

    def __init__(self, name: str) -> None:
        self.name = name

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        return Reranked(np.array([1 / (1 + len(each)) for each in passages], np.float32), 0)

    async def close(self) -> None: ...


async def test_a_plugin_embeds_and_reranks_under_its_name(registry: Registry) -> None:
    registry.add(kinds.EMBEDDER, "sized", lambda model, settings: Sized(model))
    registry.add(kinds.RERANKER, "shortest", lambda model, settings: Shortest(model))
    models = ModelsSettings(embedding="sized:64", reranker="shortest:first", answers="shortest:second", near_misses="")
    settings = Settings(models=models)
    embedder = await builtin.embedder(settings)
    assert (await embedder.embed(["a b"])).vectors.shape == (1, 64)
    assert [getattr(made(settings), "name", "") for made in (builtin.reranker, builtin.reader)] == ["first", "second"]
    assert models.local == models.chat
    with pytest.raises(ValueError, match="late needs an embedding model of the catalogue, not sized:64"):
        ModelsSettings(embedding="sized:64")
    with pytest.raises(UnknownModel):
        await builtin.embedder(Settings(models=ModelsSettings(embedding="sizd:64", reranker="")))


class Asking(Shortest):
    """A chat model ranks."""

    def __init__(self, model: str, responder: Responder) -> None:
        super().__init__(f"asking:{model}")
        self.responder = responder

    def within(self, context: Context) -> Reranker:
        return self


def test_a_chat_model_reranks_as_listwise_does_or_a_plugin(registry: Registry) -> None:
    registry.add(kinds.CHAT_RERANKER, "asking", lambda model, responder, settings: Asking(model, responder))
    responder = Recited()
    path: Any = SimpleNamespace(chat={"smollm2-135m-instruct": responder})
    for name in ("listwise", "asking"):
        settings = Settings(models=ModelsSettings(reranker=f"{name}:smollm2-135m-instruct"))
        assert builtin.reranker(settings) is None
        assert settings.models.listwise == "smollm2-135m-instruct"
        made = assembly._chat_reranker(path, settings)
        assert made is not None
        assert made.name == f"{name}:smollm2-135m-instruct"
    assert isinstance(made, Asking)
    assert made.responder is responder
    with pytest.raises(SettingsError, match=r"smollm2-135m-instruct is not loaded.*models\.chat"):
        assembly._chat_reranker(SimpleNamespace(chat={}), settings)  # type: ignore[arg-type]
    assert assembly._chat_reranker(path, Settings()) is None


def test_models_behind_vllm_are_of_the_provider_of_that_name(registry: Registry) -> None:
    there = {"model": "m", "url": "http://gpu:8000/v1"}
    models = {"vllm": {"here": {"model": "m"}, "there": there}, "remote": {"far": {**there, "provider": "vllm"}}}
    settings = Settings.model_validate({"models": models})
    (far,) = builtin.remote_models(settings)
    for each in (*builtin.vllm_models(settings), far):
        assert type(each.engine).__name__ == "VllmEngine"
        assert each.engine.capabilities.parameters >= {"top_k", "ignore_eos"}
    asked: list[tuple[Any, ...]] = []
    engine = far.engine

    def made(name: str, remote: RemoteModel, retries: int) -> Engine:
        asked.append((name, type(remote).__name__, retries))
        return engine

    registry.add(kinds.PROVIDER, "vllm", made)
    builtin.vllm_models(settings)
    builtin.remote_models(settings)
    assert asked == [("here", "VllmRemote", 0), ("there", "VllmRemote", 2), ("far", "RemoteModel", 2)]
    with pytest.raises(ValueError, match="url is missing"):
        Settings.model_validate({"models": {"remote": {"far": {"model": "m", "provider": "vllm"}}}})


class Vectors:
    @plugins.hookimpl
    def mainspring_register(self, registry: Registry) -> None:
        registry.add("vectors", "mine", lambda settings: object())


LIGHT = """
import sys
import mainspring, mainspring.kinds, mainspring.core.plugins
heavy = ("sqlalchemy", "openvino", "lancedb", "fastapi", "numpy", "pyarrow", "mainspring.stores", "mainspring.engines")
print([name for name in heavy if name in sys.modules])
from mainspring.kinds import ENGINE
print([name for name in ("sqlalchemy", "lancedb", "fastapi", "openvino_genai") if name in sys.modules])
"""


def test_the_registry_loads_nothing_heavy() -> None:
    told = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[:2] == ["[]", "[]"]


NAMING = {
    kind.setting.rpartition(".")[2]
    for kind in kinds.every()
    if kind.setting and kind.name not in ("guard", "metric", "database")
}
"""The last words of the settings that name a part: ``vectors``, ``cache``, ``chunker``, ``kind``, ``provider``."""
OWNERS = frozenset({"stores", "rag", "engines", "remote", "settings", "_remote"})
"""What such a setting is read from, by its last word."""
KNOWN = {
    ("cli/serve/doctor_home.py", "vectors"): "what is looked at are the files of LanceDB",
    ("stores/backup/home.py", "vectors"): "a backup of vectors in Postgres is one of the database",
    ("engines/remote/native.py", "provider"): "one engine for several providers, which differ in words",
}


DECLARATIONS = frozenset(
    {("settings", "SECTIONS"), ("toolsets", "TOOLSETS"), ("agents", "AGENTS"), ("scorers", "SCORERS")}
)
"""Tables of features from which the registry and the settings are made (``core.slices``), by their module."""


@cache
def parsed() -> dict[str, ast.Module]:
    """The modules by their path below ``SOURCE``."""
    return {
        str(path.relative_to(SOURCE)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
    }


def settable(tree: ast.AST) -> set[str]:
    """The words that fields of ``tree`` may be, or are by default: those of ``Literal`` and of defaults."""
    found: set[str] = set()
    for node in ast.walk(tree):
        looked: list[ast.expr] = []
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
            looked = [node.slice]
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            value = node.value
            looked = [value.args[0] if isinstance(value, ast.Call) and value.args else value]
        constants = [each for side in looked for each in ast.walk(side) if isinstance(each, ast.Constant)]
        found |= {each.value for each in constants if isinstance(each.value, str) and each.value}
    return found


def defined(tree: ast.Module) -> set[str]:
    """The classes and functions of a module."""
    return {each.name for each in tree.body if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}


def makers(tree: ast.Module, modules: Mapping[str, ast.Module]) -> set[str]:
    """How ``tree`` names classes and functions: its own, and those of ``modules`` that it imports, or whose module it
    imports."""
    found = defined(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("mainspring"):
            continue
        place = (node.module or "").replace(".", "/").removeprefix("mainspring").lstrip("/")
        for name in node.names:
            shown = name.asname or name.name
            there = modules.get(f"{place}.py") or modules.get(f"{place}/__init__.py")
            if there is not None and name.name in defined(there):
                found.add(shown)
            if (inner := modules.get(f"{place}/{name.name}.py".lstrip("/"))) is not None:
                found |= {f"{shown}.{each}" for each in defined(inner)}
    return found


EXCUSE = "# No parts of the registry: "
"""Begins the comment above a table whose keys settings take by chance or for something else; the rest says for what."""


def tables(text: str, words: set[str], modules: Mapping[str, ast.Module]) -> Iterator[str]:
    """The names of tables of a module that have classes or functions under ``words``, and no excuse."""
    tree, lines = ast.parse(text), text.splitlines()
    known = makers(tree, modules)
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        if lines[node.lineno - 2].startswith(EXCUSE):
            continue
        # ``{...}`` itself, or what ``MappingProxyType({...})`` is given.
        for each in [node.value, *(node.value.args if isinstance(node.value, ast.Call) else [])]:
            if not isinstance(each, ast.Dict):
                continue
            keys = {key.value for key in each.keys if isinstance(key, ast.Constant)}
            made = any(
                isinstance(value, ast.Lambda)
                or ast.unparse(value) in known
                or (isinstance(value, ast.Call) and ast.unparse(value.func) in ("partial", "functools.partial"))
                for value in each.values
            )
            if made and keys & words:
                yield ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)


def compared(tree: ast.AST) -> Iterator[str]:
    """The settings that name a part and are compared with a word, or looked up in a table of words, in ``tree``."""
    for node in ast.walk(tree):
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if not any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in ast.walk(node)):
                continue
        elif isinstance(node, ast.Match):
            sides = [node.subject]
        elif isinstance(node, ast.Subscript):
            sides = [node.slice]
        for side in sides:
            if isinstance(side, ast.Attribute) and side.attr in NAMING:
                owner = side.value
                last = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if last in OWNERS:
                    yield side.attr


def test_only_the_registry_looks_up_what_a_setting_names() -> None:
    assert {"vectors", "cache", "chunker", "kind", "provider"} <= NAMING
    found = {(place, name) for place, tree in parsed().items() for name in compared(tree)}
    assert found == set(KNOWN)


def test_no_table_beside_the_registry_has_parts_under_names_that_settings_take() -> None:
    settings = [tree for place, tree in parsed().items() if place.startswith("core/settings/")]
    settings += [tree for place, tree in parsed().items() if place.endswith("/settings.py")]
    words = {word for tree in settings for word in settable(tree)}
    assert {"lance", "openvino", "structure", "openai", "file"} <= words
    found = {
        (place, name)
        for place in parsed()
        for name in tables((SOURCE / place).read_text(encoding="utf-8"), words, parsed())
    }
    assert {(place, name) for place, name in found if not declaration(place, name)} == set()


def declaration(place: str, name: str) -> bool:
    """Whether a table is one of ``DECLARATIONS``, in a feature's folder."""
    path = Path(place)
    return path.parent.parent.name == "features" and (path.stem, name) in DECLARATIONS


def test_the_look_for_tables_finds_what_it_looks_for() -> None:
    assert settable(ast.parse("class A:\n    kind: Literal['a', 'b'] = Field('c')\n    other: str = 'd'")) == set(
        "abcd"
    )
    made = "from mainspring.rag import lines\nfrom mainspring.rag.lines import Lines\ndef make(): ...\n"
    modules = {"rag/lines.py": ast.parse("class Lines: ...")}
    for value in ("make", "Lines", "lines.Lines", "lambda: 1", "partial(make, 1)"):
        for text in ("TABLE = {'a': %s}", "TABLE: Any = MappingProxyType({'x': 1, 'a': %s})"):
            assert list(tables(made + text % value, {"a"}, modules)) == ["TABLE"]
            assert list(tables(made + text % value, {"b"}, modules)) == []
            assert list(tables(f"{made}{EXCUSE}words\n{text % value}", {"a"}, modules)) == []
    assert list(tables(made + "TABLE = {'a': 1, 'b': lines.OTHER}", {"a"}, modules)) == []
    assert declaration("features/memory/toolsets.py", "TOOLSETS")
    assert not declaration("features/memory/toolsets.py", "PARSERS")
    assert not declaration("rag/toolsets.py", "TOOLSETS")


def test_the_look_finds_what_it_looks_for() -> None:
    for text in (
        'x = 1 if settings.stores.vectors == "lance" else 2',
        'x = settings.rag.chunker in ("a", "b")',
        "x = TABLE[settings.engines.kind]",
        "match remote.provider:\n    case 'a': pass",
    ):
        assert len(list(compared(ast.parse(text)))) == 1
    assert list(compared(ast.parse('x = event.kind == "a"'))) == []
