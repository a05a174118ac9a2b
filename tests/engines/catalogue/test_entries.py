"""The catalogue: the built-in entries, merging, and errors that name file and field."""

import hashlib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from mainspring.core import yaml_files
from mainspring.core.errors import ModelError, UnknownModel
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.engines.catalogue.entries import Catalogue
from mainspring.engines.catalogue.sources import parse
from mainspring.engines.catalogue.split_files import expanded


def with_catalogue(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "more.yaml"
    path.write_text(text, encoding="utf-8")
    return Settings(models=ModelsSettings(catalogues=(path,)))


def test_every_builtin_entry_is_valid_and_its_sources_parse() -> None:
    entries = list(Catalogue.load(Settings()))
    assert {entry.kind for entry in entries} == {"chat", "embedding", "reranker", "reader", "layout", "transcriber"}
    for entry in entries:
        changed = {"Apache-2.0, changes CC-BY-SA-4.0"} if entry.weights else set()
        assert entry.license in {"Apache-2.0", "MIT"} | changed
        assert entry.size_bytes > 0
        for source in entry.sources:
            for part in expanded(source):
                parse(part)


def test_what_is_packaged_is_what_its_entry_says() -> None:
    folder = resources.files("mainspring.engines.catalogue") / "packaged"
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    found = [entry for entry in Catalogue.load(Settings()) if entry.weights]
    assert [entry.name for entry in found] == ["near-miss-reader"]
    for entry in found:
        assert entry.weights is not None
        assert entry.weights.sources == (f"packaged:{entry.weights.name}",)
        content = (folder / entry.weights.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry.weights.size_bytes, entry.weights.sha256)
        assert f"# {entry.name}" in card


def test_defaults_are_there_with_hashes() -> None:
    settings = Settings()
    catalogue = Catalogue.load(settings)
    for name in (*settings.models.chat, settings.models.embedding):
        assert all(file.sha256 for file in catalogue.get(name).files)
    assert not catalogue.get("smollm2-135m-instruct").grounded
    assert catalogue.get("qwen3-8b").grounded


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("labels: []", "labels must name its classes"),
        ("labels: [text, heading]", r"labels\.1"),
        ("format: safetensors, convert: [encoder]", "of layout models"),
        ("kind: embedding", "of layout models"),
    ],
)
def test_a_layout_model_must_say_what_its_classes_are(tmp_path: Path, change: str, says: str) -> None:
    settings = with_catalogue(tmp_path, f"models:\n  pp-layout-cdla: {{{change}}}\n")
    with pytest.raises(ModelError, match=says):
        Catalogue.load(settings)


def test_unknown_name_suggests_the_nearest() -> None:
    catalogue = Catalogue.load(Settings())
    for typed, meant in (("smolm2", "smollm2-135m-instruct"), ("qwen3-8B", "qwen3-8b"), ("MiniLM-l6-v2", "minilm")):
        with pytest.raises(UnknownModel) as caught:
            catalogue.get(typed)
        assert meant in caught.value.remedy
    with pytest.raises(UnknownModel, match="models list"):
        catalogue.get("zzzz")


def test_user_catalogue_changes_single_fields_and_adds_models(tmp_path: Path) -> None:
    settings = with_catalogue(
        tmp_path,
        """
models:
  qwen3-4b: {grounded: false, price_input: 0.5}
  mine:
    kind: chat
    license: MIT
    format: gguf
    files: [{name: mine.gguf, sources: ["file:/models/mine.gguf"]}]
    convert: [q8_0]
    context_window: 2048
""",
    )
    catalogue = Catalogue.load(settings)
    assert not catalogue.get("qwen3-4b").grounded
    assert catalogue.get("qwen3-4b").price_input == 0.5
    assert catalogue.get("qwen3-4b").context_window == 32768
    assert catalogue.get("mine").sources == ("file:/models/mine.gguf",)


GOOD = "kind: chat, license: MIT, format: gguf, convert: [openvino], context_window: 9"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: {qwen3-4b: {contxt_window: 1}}", "Did you mean context_window"),
        ("models: {qwen3-4b: {context_window: many}}", "models.qwen3-4b.context_window"),
        ("models: {qwen3-4b: {files: []}}", "models.qwen3-4b.files"),
        ("models: {x: {kind: chat}}", "models.x.license"),
        (f"models: {{x: {{{GOOD}, files: [{{name: a.gguf, sha256: abc, sources: ['file:/a']}}]}}}}", "sha256"),
        (f"models: {{x: {{{GOOD}, files: [{{name: ../a.gguf, sources: ['file:/a']}}]}}}}", "files.0.name"),
        (f"models: {{x: {{{GOOD}, files: [{{name: a.gguf, sources: ['ftp:/a']}}]}}}}", "sources.0"),
        (f"models: {{x: {{{GOOD}, files: [{{name: a.bin, sources: ['file:/a']}}]}}}}", "must be its .gguf"),
        ("models: {all-minilm-l6-v2: {convert: [q8_0]}}", "convert for safetensors"),
        ("models: {all-minilm-l6-v2: {dimensions: 0}}", "dimensions"),
        ("models: {../../etc: {kind: chat}}", "name"),
        ("models: [a, b]", "one mapping, models"),
        ("models: {x: 3}", "models.x must be a mapping"),
        ("other: {}", "one mapping, models"),
        ("models: {x: [", "not valid YAML"),
    ],
)
def test_a_wrong_catalogue_names_file_and_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        Catalogue.load(with_catalogue(tmp_path, text))
    assert said in str(caught.value)
    assert "more.yaml" in str(caught.value)


def test_a_catalogue_is_read_again_and_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    load = yaml_files.load

    def counted(text: str) -> Any:
        parsed.append(text)
        return load(text)

    monkeypatch.setattr(yaml_files, "load", counted)
    settings = with_catalogue(tmp_path, "models: {smollm2-135m-instruct: {description: one}}")
    for _ in range(3):
        assert Catalogue.load(settings).get("smollm2-135m-instruct").description == "one"
    assert len(parsed) == 2
    with_catalogue(tmp_path, "models: {smollm2-135m-instruct: {description: two}}")
    assert Catalogue.load(settings).get("smollm2-135m-instruct").description == "two"


def test_a_missing_catalogue_is_an_error(tmp_path: Path) -> None:
    settings = Settings(models=ModelsSettings(catalogues=(tmp_path / "none.yaml",)))
    with pytest.raises(ModelError, match=r"none\.yaml cannot be read"):
        Catalogue.load(settings)
