"""What was trained elsewhere becomes a version: with its card, behind the same gates."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import Conflict, InvalidRequest, MainspringError, Unsupported
from mainspring.features.train.adopting import Adoption, adopt
from mainspring.features.train.versions import foreign
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.lock import RunLock
from tests.cli.command import data as data_of
from tests.cli.command import run_within
from tests.features.train.world import fake_model, points, world, write

LORA = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 8, "base_model_name_or_path": "tiny"}


def save(path: Path, tensors: dict[str, Any]) -> None:
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(each, np.float32) for name, each in tensors.items()}, path)


def lora(folder: Path, **config: Any) -> Path:
    """An adapter as peft saves it."""
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    pair = {f"{name}.lora_A.weight": np.ones((2, 16)), f"{name}.lora_B.weight": np.ones((16, 2))}
    save(folder / "adapter_model.safetensors", pair)
    (folder / "adapter_config.json").write_text(json.dumps({**LORA, **config}))
    return folder


def plain(folder: Path, **config: Any) -> Path:
    """A model as transformers saves it; the weights are none."""
    save(folder / "model.safetensors", {"some": np.ones(2)})
    (folder / "tokenizer.json").write_text("{}")
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], **config}))
    return folder


def finished(folder: Path, **options: Any) -> Path:
    """The folder of a run by the module that ``torchrun`` starts, written by hand as the guide says, and run."""
    write(folder / "data", points())
    write(folder / "data", points(8), "test")
    (folder / "job.json").write_text(json.dumps({"recipe": "line", "options": {"steps": 8, **options}, "seed": 3}))
    (folder / "data" / "train.lineage.jsonl").write_text('{"answers": ["ans_1"]}\n' * 40)
    child(folder)
    return folder


def child(folder: Path) -> str:
    """What the process of a run writes."""
    command = [sys.executable, "-m", "mainspring.training.child", str(folder)]
    own = {**os.environ, "MAINSPRING_HOME": str(folder.parent)}
    return subprocess.run(command, check=False, env=own, capture_output=True, text=True).stderr


def test_the_scale_of_an_adapter_is_the_one_that_is_merged(tmp_path: Path) -> None:
    found = foreign.read(lora(tmp_path / "one"))
    assert (found.made.makes, found.base, found.made.entry["adapter"]["alpha"]) == ("adapter", "tiny", 8)
    rooted = foreign.read(lora(tmp_path / "two", use_rslora=True))
    # alpha / sqrt(r) is what it learned with, and alpha / r is what is merged.
    assert rooted.made.entry["adapter"]["alpha"] == pytest.approx(8 * math.sqrt(2))
    history = [{"step": 5, "loss": 2.0}, {"step": 5, "eval_loss": 3.0}, {"step": 9, "loss": float("nan")}]
    (tmp_path / "one" / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    assert dict(foreign.read(tmp_path / "one").steps) == {5: {"loss": 2.0, "eval_loss": 3.0}, 9: {}}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["score"]}, "modules_to_save"),
        ({"bias": "all"}, "bias"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"task_type": "SEQ_CLS"}, "SEQ_CLS"),
    ],
)
def test_what_cannot_be_merged_is_refused(config: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=told) as caught:
        foreign.read(lora(tmp_path, **config))
    assert caught.value.param == "folder"


def test_whole_weights_are_told_apart_by_their_config(tmp_path: Path) -> None:
    chat = foreign.read(plain(tmp_path / "chat", max_position_embeddings=128)).made
    assert (chat.makes, chat.entry) == ("chat", {"kind": "chat", "context_window": 128})
    (tmp_path / "chat" / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(Unsupported, match="max_shard_size"):
        foreign.read(tmp_path / "chat")
    with pytest.raises(Unsupported, match="only BERT encoders"):
        foreign.read(plain(tmp_path / "other", architectures=["RobertaModel"], model_type="roberta"))
    many = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "a", "1": "b"}}
    with pytest.raises(Unsupported, match="has several"):
        foreign.read(plain(tmp_path / "classes", **many))
    bare = tmp_path / "bare"
    bare.mkdir()
    with pytest.raises(InvalidRequest, match=r"none of job\.json, adapter_config\.json"):
        foreign.read(bare)
    (bare / "config.json").write_text("[]")
    with pytest.raises(InvalidRequest, match="not a JSON object"):
        foreign.read(bare)
    with pytest.raises(InvalidRequest, match="is not a folder"):
        foreign.read(tmp_path / "none")


@pytest.mark.slow
async def test_a_run_of_torchrun_becomes_a_version(tmp_path: Path) -> None:
    folder = finished(tmp_path / "runs" / "line")
    async with world(tmp_path) as home:
        job = await home.over(await adopt(home.service, home.who, Adoption(folder, name="mine")))
        assert (job.state, job.version, job.recipe, job.step) == ("succeeded", "mine@1", "line", 8)
        row = await home.service.kept.find("acme", "mine")
        seen = home.service.seen(row)
        assert json.loads((seen.folder / "line.json").read_text())["weights"] == list(seen.made.value["weights"])
        card = (seen.folder / "README.md").read_text()
        assert "Trained elsewhere by the recipe `line`. Adopted on" in card
        assert "- train: 40 rows, sha256" in card
        assert "- Seed: 3" in card
        assert "on which nothing was chosen" in card
        assert await home.service.card(row) == card
        # Its curves and samples are shown, and who is erased finds it.
        kept = home.service.folder(await home.service.jobs.of("acme", job.id))
        assert len(kept.metrics()) == 8
        assert [each["step"] for each in kept.samples()] == [0, 8]
        assert [row.name for row in await home.service.kept.of_source("acme", "ans_1")] == ["mine"]
        # What it was taken from may change.
        (folder / "output" / "line.json").write_text("{}")
        assert "weights" in (seen.folder / "line.json").read_text()
        again = await home.over(await adopt(home.service, home.who, Adoption(folder, name="mine")))
        assert again.version == "mine@2"


@pytest.mark.slow
async def test_what_is_not_over_or_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    failed = finished(tmp_path / "failed", fails="wrong")
    linked = finished(tmp_path / "linked", fails="link")
    fresh = tmp_path / "fresh"
    Folder(fresh).create(RunRequest("line"))
    # Who runs it on a cluster reads the output of its pods.
    assert "the line is crooked" in child(failed)
    async with world(tmp_path, works=False) as home:
        for folder, told in (
            (failed, "the line is crooked"),
            (fresh, "it is not over"),
            (linked, "has a link"),
        ):
            with pytest.raises(MainspringError, match=told):
                await adopt(home.service, home.who, Adoption(folder))
        lock = RunLock(fresh)
        assert lock.take()
        with pytest.raises(Conflict, match="a process works in"):
            await adopt(home.service, home.who, Adoption(fresh))
        lock.release()
        assert not list((tmp_path / "training" / "drafts").iterdir())
        assert not list((tmp_path / "training").glob("jobs/*"))


@pytest.mark.slow
async def test_an_adapter_of_peft_tells_its_base_and_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The base of this home is no real file.
    monkeypatch.setattr("mainspring.features.train.adopting._check", lambda *_: None)
    rows = tmp_path / "rows"
    rows.mkdir()
    (rows / "manifest.json").write_text(
        json.dumps({"sides": {"train": {"rows": 7, "sha256": "ab"}}, "licence": "CC0", "split": "by hand"})
    )
    async with world(tmp_path, models=fake_model(tmp_path)) as home:

        async def adopted(folder: Path, **more: Any) -> tuple[Any, str]:
            job = await home.over(await adopt(home.service, home.who, Adoption(folder, **more)))
            row = await home.service.kept.find("acme", job.version)
            return row, await home.service.card(row)

        row, card = await adopted(lora(tmp_path / "support"))
        assert (row.base, row.name, row.recipe) == ("tiny", "tiny-elsewhere", "elsewhere")
        assert "Trained elsewhere. Adopted on" in card
        assert "from `support` as" in card
        assert "Base: tiny (licence: MIT)" in card
        assert "Nothing is known of its data" in card
        _, card = await adopted(
            tmp_path / "support", name="told", data=rows, recipe="sft", licence="Apache-2.0", figures={"exact": 0.5}
        )
        assert "by the recipe `sft`" in card
        assert "- train: 7 rows, sha256 `ab`" in card
        assert "- Licence of the data: CC0" in card
        assert "Licence: Apache-2.0" in card
        assert "| exact |  | 0.5 |" in card
        assert "nothing was measured here" in card
        unknown = lora(tmp_path / "unknown", base_model_name_or_path="some/where")
        with pytest.raises(InvalidRequest, match=r"--base.*there are: tiny") as caught:
            await adopt(home.service, home.who, Adoption(unknown))
        assert caught.value.param == "base"
        with pytest.raises(InvalidRequest, match="Name it with --base"):
            await adopt(home.service, home.who, Adoption(lora(tmp_path / "silent", base_model_name_or_path=None)))
        with pytest.raises(InvalidRequest, match=r"no train\.jsonl") as caught:
            await adopt(home.service, home.who, Adoption(tmp_path / "support", data=tmp_path / "unknown"))
        assert caught.value.param == "data"


@pytest.mark.slow
def test_a_command_adopts(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run")
    environment = {"MAINSPRING_HOME": str(tmp_path / "home"), "PYTHONPATH": os.environ["PYTHONPATH"]}

    def train(*words: str) -> tuple[int, str, str]:
        done = run_within(("train", *words), environment)
        return done.returncode, done.stdout, done.stderr

    status, out, err = train("adopt", str(folder), "--name", "mine", "--json")
    assert status == 0, err
    assert data_of(out)["version"] == "mine@1"
    status, out, err = train("adopt", str(folder), "--name", "mine")
    assert status == 0, err
    assert "It made mine@2." in out
    assert Path(out.split("Its card: ")[1].strip()).read_text().startswith("# mine@2\n")
    status, _, err = train("adopt", str(folder), "--figure", "exact=high")
    assert (status != 0, "Write NAME=NUMBER" in err) == (True, True)
    status, _, err = train("adopt", str(tmp_path / "none"))
    assert (status != 0, "is not a folder" in err) == (True, True)
