"""A tiny chat model with random weights in the folder of a pulled one, and runs over it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.settings import Settings
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.pull import Puller
from mainspring.training.chat.recipe_list import RECIPES
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.run import Run
from tests.engines import tiny_models as tiny

Rows = Iterable[Mapping[str, Any]]
Start = Callable[..., Run]
_RECIPES = {each.name: each for each in RECIPES}
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def pulled(folder: Path, architecture: str, vocabulary: GgufWeights) -> Path:
    """The folder of a pulled model with random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = GgufWeights(tiny.write_chat(folder / "model.gguf", architecture, vocabulary))
    tokenizer = weights.tokenizer()
    assert tokenizer is not None
    tokenizer.save(str(folder / "tokenizer.json"))
    manifest = {
        "name": f"tiny-{architecture}",
        "license": "Apache-2.0",
        "roles": {"gguf": "model.gguf", "tokenizer": "tokenizer.json"},
        "described": {"chat_template": TEMPLATE, "bos": "<|im_start|>", "eos": "<|im_end|>"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def vocabulary() -> GgufWeights:
    """The default chat model's file, for its vocabulary."""
    return GgufWeights(Puller(Settings()).pull("smollm2-135m-instruct").files["gguf"])


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, vocabulary: GgufWeights) -> Path:
    return pulled(tmp_path_factory.mktemp("bases") / "llama", "llama", vocabulary)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    # Two threads wait for each other longer than so small a model computes.
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")


@pytest.fixture
def start(base: Path, tmp_path: Path) -> Start:
    """Make a run: ``start(recipe, options, train, validation, test)``; a second call with the same ``name`` goes on."""

    def started(
        recipe: str,
        options: Mapping[str, Any],
        train: Rows = (),
        validation: Rows = (),
        test: Rows = (),
        *,
        name: str = "run",
        on: Path | None = None,
        **more: Any,
    ) -> Run:
        folder = Folder(tmp_path / name)
        known = folder.path.exists()
        folder.create(RunRequest(recipe, options, seed=3, base=str(on or base), **more))
        if not known:
            for side, rows in (("train", train), ("validation", validation), ("test", test)):
                lines = "".join(json.dumps(row) + "\n" for row in rows)
                (folder.data / f"{side}.jsonl").write_text(lines)
        return Run(_RECIPES[recipe], folder, folder.asked)

    return started


def talk(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def talks(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Questions whose answer is always the same words."""
    return [talk(f"what is {number} of it", "the mill is at the river") for number in range(first, first + count)]
