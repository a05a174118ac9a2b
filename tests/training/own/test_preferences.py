"""The third stage: a reward model of pairs, and reinforcement against it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, NothingLearned
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.own.recipe_list import RECIPES
from mainspring.training.recipe import Interrupted, Made
from mainspring.training.run import Run

pytestmark = pytest.mark.torch

DRINKS = ("latte", "mocha", "tea", "espresso")
ORDERS = [f"one {drink} please" for drink in DRINKS]
RIGHT, WRONG = "Here you are.", "We have none."
STEPS: dict[str, Any] = {"every": 20, "save": 20, "rate": 3e-3, "batch": 8}
PPO: dict[str, Any] = {"steps": 12, "batch": 16, "part": 8, "rate": 1e-3, "answer": 12, "save": 3, "kl": 0.02}


def run(path: Path, name: str, rows: list[dict[str, Any]], base: Path | None = None, **options: Any) -> Made:
    pytest.importorskip("torch").set_num_threads(1)
    folder = Folder(path)
    folder.create(RunRequest(name, options, base=str(base or "")))
    for side in ("train", "validation", "test"):
        (folder.data / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = next(each for each in RECIPES if each.name == name)
    return Run(recipe, folder, folder.asked).do()


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Made]:
    """A model that answers either way, and a reward model of people who want to be served."""
    path = tmp_path_factory.mktemp("stages")
    answers = [{"prompt": order, "completion": said} for order in ORDERS for said in (RIGHT, WRONG)]
    size: dict[str, Any] = {"width": 32, "layers": 2, "heads": 2, "kv_heads": 1, "length": 32}
    size |= {"vocabulary": 320, "warmup": 5}
    run(path / "pretrain", "pretrain", answers * 4, steps=60, **size, **STEPS)
    run(path / "sft", "finetune-own", answers * 4, path / "pretrain" / "output", steps=60, **STEPS)
    pairs = [{"prompt": order, "chosen": RIGHT, "rejected": WRONG} for order in ORDERS]
    made = run(path / "reward", "reward-own", pairs * 6, path / "sft" / "output", steps=20, **STEPS)
    return path, made


def test_a_reward_model_orders_answers_as_people_do(stages: tuple[Path, Made]) -> None:
    from mainspring.training.own.preferences import reward

    path, made = stages
    assert made.figures["accuracy"] == 1
    assert made.counted["accuracy"] == 24
    assert made.intervals["accuracy"][0] > 0.8
    model = reward.load(path / "reward" / "output")
    texts = [[1, 20, 21, 22, 2], [1, 20]]
    alone = [model.rate([each])[0] for each in texts]
    assert model.rate(texts) == pytest.approx(alone, abs=1e-5)
    with pytest.raises(InvalidRequest, match="not a reward model"):
        reward.load(path / "sft" / "output")


def test_reinforcement_finds_what_is_liked(stages: tuple[Path, Made], tmp_path: Path) -> None:
    rows = [{"prompt": order} for order in ORDERS]
    made = run(tmp_path, "ppo-own", rows * 4, stages[0] / "reward" / "output", **PPO)

    assert made.makes == "chat"
    assert made.before["kl"] == pytest.approx(0, abs=1e-5)
    assert made.figures["reward"] > made.before["reward"] + 0.5
    assert 0 < made.figures["kl"] < 20
    assert {each["text"] for each in Folder(tmp_path).samples() if each["step"] == 12} == {RIGHT}


def test_it_goes_on_exactly(stages: tuple[Path, Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, base = [{"prompt": order} for order in ORDERS], stages[0] / "reward" / "output"
    options = PPO | {"steps": 4}
    run(tmp_path / "straight", "ppo-own", rows, base, **options)
    path = tmp_path / "cut"
    monkeypatch.setattr(Run, "stopping", lambda self: len(Folder(path).metrics()) == 2)
    with pytest.raises(Interrupted):
        run(path, "ppo-own", rows, base, **options)
    monkeypatch.undo()
    run(path, "ppo-own", rows, base, **options)
    straight, cut = (
        [(each["step"], each["figures"]) for each in Folder(each).metrics()] for each in (tmp_path / "straight", path)
    )
    assert cut == straight


def test_advantages_are_those_worked_out_by_hand() -> None:
    torch = pytest.importorskip("torch")
    from mainspring.training.own.preferences.rollout import advantages, whitened

    said = torch.tensor([[False, True, True], [False, True, False]])
    rewards = torch.tensor([[0.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
    values = torch.tensor([[9.0, 0.5, 0.2], [9.0, 1.0, 9.0]]) * said
    gains, wanted = advantages(rewards, values, said, 0.5)

    # The last token: 1 - .2; the one before: .2 - .5 + .5 * .8.
    assert gains.tolist()[0] == pytest.approx([0, 0.1, 0.8])
    assert gains.tolist()[1] == pytest.approx([0, 1, 0])
    assert wanted.tolist()[0][1:] == pytest.approx([0.6, 1.0])
    white = whitened(gains, said)[said]
    assert white.mean().item() == pytest.approx(0, abs=1e-6)
    assert white.std(correction=0).item() == pytest.approx(1, abs=1e-3)


def test_chances_are_those_of_the_model(stages: tuple[Path, Made]) -> None:
    torch = pytest.importorskip("torch")
    from mainspring.training.own.models import model_files
    from mainspring.training.own.preferences.rollout import Policy, roll

    decoder: Any = model_files.load(stages[0] / "sft" / "output")
    prompts = [[1, 30, 31], [1, 40]]
    rolled = roll(decoder, prompts, most=5, temperature=1.0, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        chances, _, _ = Policy(decoder)(rolled.ids)
    for row, prompt in enumerate(prompts):
        text = rolled.texts[row]
        assert rolled.said[row].sum() == rolled.lengths[row] == len(text) - len(prompt)
        logits = decoder(torch.tensor([text]))[0].detach().log_softmax(-1)
        alone = [float(logits[at - 1, text[at]]) for at in range(len(prompt), len(text))]
        assert chances[row][rolled.said[row]].tolist() == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("reward-own", [{"prompt": "a", "chosen": "b"}], "rejected"),
        ("ppo-own", [{"prompt": " ".join(["long"] * 90)}], "no prompts"),
    ],
)
def test_rows_that_do_not_do_are_named(
    stages: tuple[Path, Made], tmp_path: Path, name: str, rows: list[dict[str, Any]], message: str
) -> None:
    base = stages[0] / ("sft" if name == "reward-own" else "reward") / "output"
    with pytest.raises((InvalidRequest, NothingLearned), match=message):
        run(tmp_path, name, rows, base)
