"""What a training process has of the server: some of its environment, a bound of memory, and none of its secrets."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.settings import load
from mainspring.features.train.jobs import tree
from mainspring.features.train.jobs.process import Process
from mainspring.features.train.jobs.running import tail
from mainspring.features.train.jobs.surroundings import WITHHELD, environment, kept, redacted
from mainspring.features.train.service import Training
from mainspring.training.folder import Folder, RunRequest
from tests.features.train.world import LOCAL, points, world, write

pytestmark = pytest.mark.slow
_SECRETS = {
    "OPENAI_API_KEY": "sk-of-the-operator",
    "MAINSPRING_STORES__DATABASE": "postgresql://me:hunter2hunter2@db/x",
    "MAINSPRING_MODELS__REMOTE__LARGE__API_KEY": "another-secret-key",
    "AWS_SECRET_ACCESS_KEY": "aws-secret-aws-secret",
    "HF_TOKEN": "hf_abcdefghijklmnopqrst",
}


def test_only_what_training_needs_is_handed_on(tmp_path: Path) -> None:
    told = {
        "PATH": "/bin",
        "MAINSPRING_HOME": "/home",
        "MAINSPRING_MODELS__DIRECTORY": "/m",
        "CUDA_VISIBLE_DEVICES": "1",
    }
    assert kept({**told, **_SECRETS}) == told
    config = tmp_path / "mainspring.yaml"
    config.write_text("models: {remote: {large: {api_key: env:OPENAI_API_KEY}}}\ngateway: {port: env:PORT}\n")
    found = kept({**told, **_SECRETS, "PORT": "8080", "MAINSPRING_CONFIG": str(config)})
    # The configuration can still be read.
    assert (found["OPENAI_API_KEY"], found["PORT"]) == (WITHHELD, "8080")
    assert "AWS_SECRET_ACCESS_KEY" not in found


def test_logs_have_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _SECRETS.items():
        monkeypatch.setenv(name, value)
    log = "\n".join(f"ValueError: settings {value}" for value in _SECRETS.values())
    (tmp_path / "log.txt").write_text(f"{log}\nAuthorization: Bearer abc.def.ghi-jkl\nstep 7 of tokens 5\n")
    told = tail(Folder(tmp_path), 20_000)
    assert not [value for value in _SECRETS.values() if value in told]
    assert "hunter2" not in told
    assert "abc.def" not in told
    assert "step 7 of tokens 5" in told
    assert redacted("redis://me:pass@host:1", {}) == "redis://me:[password]@host:1"


async def test_a_child_has_no_keys_and_is_the_first_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _SECRETS.items():
        if not name.startswith("MAINSPRING_"):
            monkeypatch.setenv(name, value)
    folder = Folder(tmp_path / "run")
    folder.create(RunRequest("line", {"steps": 10_000, "pause_s": 0.05}))
    write(folder.data, points())
    process = Process(folder)
    await process.start()
    try:
        async with asyncio.timeout(60):
            while not folder.metrics():
                await asyncio.sleep(0.05)
        place = Path(f"/proc/{folder_pid(process)}")
        there = await asyncio.to_thread((place / "environ").read_text)
        assert not [name for name in _SECRETS if f"{name}=" in there]
        assert "PATH=" in there
        assert (await asyncio.to_thread((place / "oom_score_adj").read_text)).strip() == "1000"
        assert process.memory_mb() > 5
    finally:
        await process.end(5.0)


async def test_a_child_reads_the_file_that_the_command_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAINSPRING_CONFIG", raising=False)
    monkeypatch.setenv("MODELS_HERE", str(tmp_path / "models"))
    config = tmp_path / "elsewhere.yaml"
    config.write_text(f"home: {tmp_path / 'kept'}\nmodels: {{directory: env:MODELS_HERE}}\n")
    settings = load(config).settings
    assert settings.file == config
    # It stays with what is made of them.
    assert settings.model_copy(update={"home": tmp_path / "other"}).file == config
    async with stores.open(settings) as opened:
        work = Training(settings, opened, LOCAL).work()
    handed = environment(work._handed)
    read = load(environment=handed).settings
    assert (read.home, read.models.directory) == (tmp_path / "kept", tmp_path / "models")
    assert "MAINSPRING_CONFIG" not in environment()


def folder_pid(process: Process) -> int:
    assert process._child is not None
    return process._child.pid


def test_all_that_a_process_started_is_weighed() -> None:
    hungry = "a = bytearray(b'x') * 200_000_000; print('here', flush=True); input()"
    outer = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, '-c', {hungry!r}], stdin=subprocess.PIPE, start_new_session=True)\n"
        "p.wait()"
    )
    made = subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE)
    try:
        assert made.stdout is not None
        assert made.stdout.readline() == b"here\n"
        found = tree.below(made.pid)
        assert len(found) == 2
        assert tree.memory_mb(found) > 190
        assert tree.memory_mb([made.pid]) < 100
        assert tree.below(2**22 + 1) == [2**22 + 1]
    finally:
        for each in tree.below(made.pid):
            os.kill(each, 9)
        made.wait()


async def test_quotas_come_first_and_uploads_one_by_one(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, train={"per_tenant": 2}) as home:
        inside, most = 0, 0

        async def upload(tenant: str) -> None:
            nonlocal inside, most
            async with home.service.turn(tenant):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.02)
                inside -= 1

        await asyncio.gather(*(upload("acme") for _ in range(5)))
        assert most == 1
        await asyncio.gather(upload("acme"), upload("other"))
        assert most == 2
        await home.order()
        await home.order()
        with pytest.raises(Exception, match="2 training jobs"):
            await upload("acme")
        # Nothing of the data is looked at.
        with pytest.raises(Exception, match="2 training jobs"):
            await home.order(folder=tmp_path / "absent")
        await upload("other")
