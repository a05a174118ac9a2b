"""Which models are pulled before anything starts."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from mainspring.cli.main import app
from mainspring.core.errors import ModelError, ModelNotPulled
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.core.settings.endpoints import RemoteReranker
from mainspring.engines.catalogue import pull
from mainspring.terminal.pulling import pull_missing


@pytest.mark.parametrize(
    ("reranker", "pulled"),
    [
        ("ms-marco-minilm-l6-v2", ["embedder", "ms-marco-minilm-l6-v2"]),
        ("late", ["embedder"]),
        ("late:embedder", ["embedder"]),
        ("late:another", ["embedder", "another"]),
        ("late+another", ["embedder", "another"]),
        ("late:one+another", ["embedder", "one", "another"]),
        ("", ["embedder"]),
        ("ours", ["embedder"]),
    ],
)
def test_a_reranker_of_the_catalogue_is_pulled(
    reranker: str, pulled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Puller:
        def __init__(self, settings: Settings) -> None:
            pass

        def local(self, name: str) -> Any:
            raise ModelNotPulled(name)

        def pull(self, name: str, progress: Any) -> None:
            asked.append(name)

    monkeypatch.setattr(pull, "Puller", Puller)
    remote = {"ours": RemoteReranker(url="http://127.0.0.1:9/rerank", model="m")}
    models = ModelsSettings(
        chat=(), embedding="embedder", reranker=reranker, near_misses="reader", remote_rerankers=remote
    )
    pull_missing(Settings(models=models))
    assert asked == [*pulled, "reader"]


@pytest.mark.parametrize("lost", ["reader", "embedder"])
def test_only_what_answers_go_on_without_may_be_missing(
    lost: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Puller:
        def __init__(self, settings: Settings) -> None:
            pass

        def local(self, name: str) -> Any:
            raise ModelNotPulled(name)

        def pull(self, name: str, progress: Any) -> None:
            if name == lost:
                raise ModelError("no source of it can be reached")

    monkeypatch.setattr(pull, "Puller", Puller)
    settings = Settings(models=ModelsSettings(chat=(), embedding="embedder", reranker="", near_misses="reader"))
    if lost == "embedder":
        with pytest.raises(ModelError):
            pull_missing(settings)
        return
    pull_missing(settings)
    assert "reader is not used, for it cannot be had now: no source of it can be reached" in capsys.readouterr().err


def test_only_a_model_that_was_named_must_be_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Puller:
        def __init__(self, settings: Settings) -> None:
            pass

        def pull(self, name: str, progress: Any, force: bool) -> None:
            raise ModelError(f"no source of {name} can be reached")

    monkeypatch.setattr(pull, "Puller", Puller)
    models = {"CHAT": "[]", "EMBEDDING": "plugin:any", "RERANKER": "", "ANSWERS": "", "NEAR_MISSES": "reader"}
    environment = {f"MAINSPRING_MODELS__{name}": value for name, value in models.items()}
    done = CliRunner().invoke(app, ["models", "pull"], env=environment)
    assert done.exit_code == 0, done.output
    assert "reader is not used, for it cannot be had now: no source of reader" in done.output
    done = CliRunner().invoke(app, ["models", "pull", "reader"], env=environment)
    assert isinstance(done.exception, ModelError)
