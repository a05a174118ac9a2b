"""``mainspring models`` on a catalogue of one random encoder."""

import os
from pathlib import Path

import pytest
import yaml

from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import Puller
from tests.cli.command import Done, data, run_within
from tests.engines import tiny_models as tiny


@pytest.fixture
def config(tmp_path: Path) -> Path:
    tokenizer = Puller(Settings()).pull("all-minilm-l6-v2").files["tokenizer"]
    source = tiny.write_encoder(tmp_path / "in", tokenizer, 30522)
    files = [
        {"name": name, "sources": [f"file:{source / name}"]}
        for name in ("config.json", "tokenizer.json", "model.safetensors")
    ]
    entry = {
        "kind": "embedding",
        "license": "MIT",
        "format": "safetensors",
        "convert": ["encoder"],
        "context_window": 512,
        "max_tokens": 64,
        "dimensions": tiny.HIDDEN,
        "files": files,
    }
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text(yaml.safe_dump({"models": {"tiny-encoder": entry}}))
    path = tmp_path / "mainspring.yaml"
    models = {"directory": str(tmp_path / "models"), "catalogues": [str(catalogue)]}
    path.write_text(yaml.safe_dump({"models": models}))
    return path


def call(config: Path, *arguments: str) -> Done:
    return run_within(("--config", config, "models", *arguments), os.environ)


def state(config: Path, name: str) -> str:
    listed = data(call(config, "list", "--json").stdout)
    return next(str(entry["state"]) for entry in listed if entry["name"] == name)


def test_a_models_life(config: Path) -> None:
    assert state(config, "tiny-encoder") == "not pulled"
    pulled = call(config, "pull", "tiny-encoder")
    assert pulled.returncode == 0, pulled.stderr
    assert "trusted on first use, sha256 pinned now: config.json, tokenizer.json, model.safetensors" in pulled.stdout
    shown = data(call(config, "show", "tiny-encoder", "--json").stdout)
    assert shown["state"] == "pulled"
    assert Path(shown["roles"]["graph"]).is_file()
    assert shown["sources_sha256"]["model.safetensors"]["checked"] == "first use"
    again = data(call(config, "pull", "tiny-encoder", "--json").stdout)
    assert again[0]["fingerprint"] == shown["fingerprint"]
    Path(shown["roles"]["graph"]).write_text("")
    assert state(config, "tiny-encoder") == "damaged"
    assert call(config, "pull", "tiny-encoder").returncode == 1
    assert call(config, "pull", "--force", "tiny-encoder").returncode == 0
    assert state(config, "tiny-encoder") == "pulled"
    assert "freed" in call(config, "remove", "tiny-encoder").stdout
    assert state(config, "tiny-encoder") == "not pulled"


def test_failures_are_one_line_with_what_to_do(config: Path) -> None:
    unknown = call(config, "pull", "tiny-encodr")
    assert unknown.returncode == 1
    assert unknown.stderr.strip().splitlines()[-1].endswith("Did you mean tiny-encoder?")
    assert "Traceback" not in unknown.stderr
    absent = call(config, "remove", "tiny-encoder")
    assert absent.stderr == "mainspring: model tiny-encoder is not on this machine. See `mainspring models list`\n"


def test_tables_are_for_people(config: Path) -> None:
    listed = call(config, "list").stdout
    assert listed.splitlines()[0].split()[:2] == ["NAME", "KIND"]
    assert "qwen3-8b" in listed
    assert "Apache-2.0" in call(config, "show", "qwen3-8b").stdout
