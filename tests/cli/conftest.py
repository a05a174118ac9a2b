"""Fixtures of the command line's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mainspring.cli.main import app
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import Puller
from tests.cli.command import Command

MODEL = "all-minilm-l6-v2"


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command in an empty folder."""
    return Command(tmp_path)


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command that succeeds in an empty folder that has the embedding model; raises as it does."""
    try:
        pulled = Puller(Settings()).local(MODEL)
    except ModelNotPulled as error:
        pytest.skip(str(error))
    models = tmp_path / "models"
    models.mkdir()
    (models / MODEL).symlink_to(pulled.directory)
    monkeypatch.chdir(tmp_path)
    # The commands share this process, which pays for its imports once.
    runner = CliRunner(env={"MAINSPRING_MODELS__DIRECTORY": str(models), "PIP_NO_INDEX": "1"})

    def run(*arguments: str, home: str = "home", **settings: str) -> Result:
        env = {"MAINSPRING_HOME": str(tmp_path / home), **settings}
        result: Result = runner.invoke(app, arguments, env=env, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return run
