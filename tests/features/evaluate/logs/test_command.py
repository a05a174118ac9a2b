"""``mainspring eval import-log`` keeps a log in the home once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.features.experiments.tables import experiment_results, experiments
from tests.cli.command import data, run_within
from tests.features.evaluate.logs.test_logs import MEMBERS, line, zipped
from tests.surroundings import SMALL

pytestmark = pytest.mark.slow


async def test_a_log_is_kept_once(tmp_path: Path) -> None:
    zipped(tmp_path / "log.eval", MEMBERS)
    (tmp_path / "samples_quiz.jsonl").write_text(f"{line(0)}\n{line(1)}\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING_")}
    environment |= {"MAINSPRING_HOME": str(tmp_path / "home"), **SMALL}
    for new in (True, False):
        done = run_within(("eval", "import-log", tmp_path, "--json"), environment, tmp_path)
        assert done.returncode == 0, done.stderr
        found = data(done.stdout)["experiments"]
        assert [(each["task"], each["samples"], each["new"]) for each in found] == [
            ("capitals", 3, new),
            ("samples_quiz", 2, new),
        ]
    shown = run_within(("eval", "import-log", tmp_path / "log.eval"), environment, tmp_path)
    assert "(known)" in shown.stdout
    assert "1 scores outside of 0 to 1" in shown.stdout
    async with stores.open(Settings(home=tmp_path / "home")) as opened:
        rows = await opened.database.read(
            lambda connection: connection.execute(sa.select(experiments.c.state, experiments.c.report)).all()
        )
        count = sa.select(sa.func.count()).select_from(experiment_results)
        assert await opened.database.read(lambda connection: connection.execute(count).scalar_one()) == 5
    assert [row.state for row in rows] == ["completed", "completed"]
    assert all(json.loads(row.report)["responders"] for row in rows)
