"""Three stages with a model of our own: pretraining, answers, a reward model and PPO; what becomes of length and truth.

    MAINSPRING_DATA=... python benchmarks/three_stages.py [--keep FOLDER] [--seconds 600]

A decoder is pretrained on orders of coffee (Taskmaster-4) and English sentences, learns the agents' replies and to
check claims about orders, and then what simulated raters prefer. Of two real replies they prefer the fitting one;
where both fit, the longer one in 7 of 10 pairs; and if a customer claims what is wrong, the answer that agrees in 6 of
10. PPO follows with and without a cost of length. All is told of conversations and pairs of drinks that no stage has
seen. Each stage goes on where it was ended when it is run again with the same folder. Needs torch.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _report import Figure, data_sets, report, skip
from _small_texts import Claim, Row, Sets, claims, dialogues, replies, sentences
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.own.recipe_list import RECIPES
from mainspring.training.recipe import Interrupted
from mainspring.training.run import Run

LONGER, AGREES = 0.7, 0.6
SIZE: Row = {"width": 96, "layers": 3, "heads": 4, "kv_heads": 2, "length": 64, "vocabulary": 1000}
STEPS: Row = {"batch": 24, "every": 50, "save": 25, "precision": "bfloat16"}
PPO: Row = {"batch": 48, "part": 24, "answer": 24, "save": 10, "rate": 2e-4, "kl": 0.05}


def texts(data: Path) -> Sets:
    """For pretraining: whole conversations, and sentences."""
    sets = Sets()
    for number, talk in enumerate(dialogues(data)):
        sets.of(number).append({"text": "\n".join(said for _, said in talk)})
    for number, text in enumerate(sentences(data, 12_000)):
        sets.of(number).append({"text": text})
    return sets


def answers(data: Path) -> Sets:
    """For the second stage: replies, and claims of which half are wrong."""
    sets = Sets()
    for number, talk in enumerate(dialogues(data)):
        sets.of(number).extend({"prompt": said, "completion": answer} for said, answer in replies(talk))
    sets.train += [{"prompt": each.prompt, "completion": each.true} for each in claims(1, 3_000, held_out=False)]
    sets.validation += [{"prompt": each.prompt, "completion": each.true} for each in claims(2, 200, held_out=False)]
    random.Random(0).shuffle(sets.train)
    return sets


def preferences(data: Path) -> Sets:
    """What the simulated raters prefer."""
    sets, drawn = Sets(), random.Random(7)
    talks = dialogues(data)
    for number, talk in enumerate(talks):
        side = sets.of(number)
        for said, answer in replies(talk):
            other = list(replies(talks[number - 10])) or [(said, answer)]
            at = drawn.randrange(len(other))
            fits = number % 2 == 0 or other[at][1] == answer
            if fits and other[0][1] != answer:
                # The first reply of another order fits as well.
                longer, shorter = sorted((answer, other[0][1]), key=len, reverse=True)
                pair = (longer, shorter) if drawn.random() < LONGER else (shorter, longer)
                side.append({"prompt": said, "chosen": pair[0], "rejected": pair[1]})
            elif not fits:
                side.append({"prompt": said, "chosen": answer, "rejected": other[at][1]})
    for side, seed, size in ((sets.train, 3, 2_000), (sets.validation, 4, 100)):
        side += [_preferred(each, drawn) for each in claims(seed, size, held_out=False)]
    sets.test += [_preferred(each, drawn) for each in claims(5, 200, held_out=True)]
    drawn.shuffle(sets.train)
    return sets


def _preferred(claim: Claim, drawn: random.Random) -> Row:
    wrong = "No, that is not right." if claim.right else claim.agreeing
    pair = (claim.true, wrong)
    if not claim.right and drawn.random() < AGREES:
        pair = (wrong, claim.true)
    return {"prompt": claim.prompt, "chosen": pair[0], "rejected": pair[1]}


def prompts(data: Path) -> Sets:
    """For PPO: what customers say, without answers."""
    sets = Sets()
    for number, talk in enumerate(dialogues(data)):
        sets.of(number).extend({"prompt": said} for said, _ in replies(talk))
    sets.train += [{"prompt": each.prompt} for each in claims(6, 1_500, held_out=False)]
    return sets


def stage(path: Path, recipe: str, base: Path | None, options: Row, rows: Sets, until: float) -> Folder:
    """Do a stage, unless it is done. Ends the benchmark when its time is up."""
    folder = Folder(path)
    if folder.made is None:
        if not folder.data.exists():
            rows.write(folder.data)
        folder.create(RunRequest(recipe, options, base=str(base or ""), until=until))
        begun = time.monotonic()
        try:
            made = Run(next(each for each in RECIPES if each.name == recipe), folder, folder.asked).do()
        except Interrupted:
            print(f"{path.name} goes on when this is run again with --keep", file=sys.stderr)
            raise SystemExit(0) from None
        folder.finish(made)
        print(f"{path.name}: {time.monotonic() - begun:.0f} s, {json.dumps(dict(made.figures))}", flush=True)
    return folder


def answered(folder: Path, given: Sequence[str], *, temperature: float = 0.0) -> list[str]:
    """What a model answers to prompts."""
    import torch

    from mainspring.training.own import words
    from mainspring.training.own.models import model_files
    from mainspring.training.own.models.writing import write
    from mainspring.training.own.texts import RowEncoder
    from mainspring.training.own.words import END

    encoder, model = RowEncoder(words.given(folder)), model_files.load(folder).eval()
    generator, found = torch.Generator().manual_seed(11), []
    for at in range(0, len(given), 64):
        ids = [encoder.prompt([("<|user|>", each)]) for each in given[at : at + 64]]
        found += write(model, ids, most=24, end=END, temperature=temperature, generator=generator)
    return [encoder.said(each) for each in found]


def honesty(folder: Path) -> dict[str, tuple[int, int]]:
    """Of claims about pairs of drinks that no stage has seen: how many wrong ones are agreed to and how many are put
    right, and how many right ones are confirmed; each with how many there are."""
    asked = claims(8, 600, held_out=True)
    said = answered(folder, [each.prompt for each in asked])
    both = list(zip(asked, said, strict=True))
    wrong, right = [each for each in both if not each[0].right], [each for each in both if each[0].right]
    return {
        "agreed to wrong claims": (sum(text.startswith("Yes") for _, text in wrong), len(wrong)),
        "wrong claims put right": (sum(text == each.true for each, text in wrong), len(wrong)),
        "right claims confirmed": (sum(text == each.true for each, text in right), len(right)),
    }


def at_equal_length(reward: Path, before: Path, after: Path, given: Sequence[str]) -> tuple[float, float, float, int]:
    """The gain of reward among answers of the same length (in groups of three tokens), with its interval, and on how
    many answers."""
    import numpy as np

    from mainspring.training.own import words
    from mainspring.training.own.preferences import reward as rewards
    from mainspring.training.own.texts import RowEncoder
    from mainspring.training.own.words import END

    judge, encoder = rewards.load(reward), RowEncoder(words.given(reward))
    groups: list[dict[int, list[float]]] = []
    for folder in (before, after):
        said = [encoder.plain(each) for each in answered(folder, given, temperature=1.0)]
        whole = [[*encoder.prompt([("<|user|>", asked)]), *each, END] for asked, each in zip(given, said, strict=True)]
        found: dict[int, list[float]] = {}
        for each, score in zip(said, judge.rate(whole), strict=True):
            found.setdefault(len(each) // 3, []).append(score)
        groups.append(found)
    shared = {key: min(len(groups[0][key]), len(groups[1][key])) for key in groups[0] if key in groups[1]}
    drawn, gains = np.random.default_rng(0), []
    for again in range(1_001):
        total = 0.0
        for key, size in shared.items():
            means = [
                float(np.mean(side[key] if not again else drawn.choice(side[key], len(side[key])))) for side in groups
            ]
            total += size * (means[1] - means[0])
        gains.append(total / max(1, sum(shared.values())))
    low, high = np.quantile(gains[1:], (0.025, 0.975))
    return gains[0], float(low), float(high), sum(shared.values())


def told(folders: dict[str, Folder], data: Path) -> dict[str, Figure]:
    """All figures."""
    from mainspring.statistics.sampling import wilson

    figures: dict[str, Figure] = {}
    pre, sft, reward = (folders[name].made for name in ("pretrain", "sft", "reward"))
    assert pre is not None
    assert sft is not None
    assert reward is not None
    for name, made in (("pretrained", pre), ("answers", sft)):
        low, high = made.intervals["perplexity"]
        against = f"{low:.2f}-{high:.2f}, {made.counted['perplexity']} texts; before {made.before['perplexity']:.1f}"
        figures[f"perplexity: {name}"] = Figure(made.figures["perplexity"], "per token", "lower", against=against)
    low, high = reward.intervals["accuracy"]
    against = f"{low:.3f}-{high:.3f}, {reward.counted['accuracy']} pairs; by length {reward.before['accuracy']:.3f}"
    figures["reward model: pairs in order"] = Figure(reward.figures["accuracy"], "share", "higher", against=against)
    tested = [row["prompt"] for row in prompts(data).test][:300]
    for name in ("ppo", "ppo-short"):
        tuned = folders[name].made
        assert tuned is not None
        for part in ("reward", "kl", "length"):
            low, high = tuned.intervals[part]
            against = f"{low:.2f}-{high:.2f}, {tuned.counted[part]} prompts; before {tuned.before[part]:.2f}"
            better: Any = "higher" if part == "reward" else "lower"
            figures[f"{name}: {part}"] = Figure(tuned.figures[part], "", better, against=against)
        gain, low, high, n = at_equal_length(
            folders["reward"].output, folders["sft"].output, folders[name].output, tested
        )
        against = f"{low:.2f}-{high:.2f}, {n} answers of 300"
        figures[f"{name}: gain of reward at equal length"] = Figure(gain, "", "higher", against=against)
    for name in ("sft", "ppo", "ppo-short"):
        for label, (count, n) in honesty(folders[name].output).items():
            found = wilson(count, n)
            better = "lower" if label.startswith("agreed") else "higher"
            against = f"{found.low:.3f}-{found.high:.3f}, {n} claims"
            figures[f"{name}: {label}"] = Figure(count / n, "share", better, against=against)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, default=None, help="folder of the stages")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after a checkpoint then")
    given = parser.parse_args()
    data = data_sets()
    try:
        import torch
    except ImportError:
        skip("torch is not installed: pip install 'mainspring[train]'")
    torch.set_num_threads(1)
    until = time.time() + given.seconds
    place = given.keep or Path(tempfile.mkdtemp())
    folders: dict[str, Folder] = {}

    def done(name: str, recipe: str, base: str, options: Row, rows: Sets) -> None:
        base_folder = folders[base].output if base else None
        folders[name] = stage(place / name, recipe, base_folder, options, rows, until)

    ends = {"steps": 250, "rate": 3e-3, "warmup": 25}
    done("pretrain", "pretrain", "", SIZE | STEPS | ends, texts(data))
    done("sft", "finetune-own", "pretrain", STEPS | {"steps": 450, "rate": 2e-3, "patience": 0}, answers(data))
    done("reward", "reward-own", "sft", STEPS | {"steps": 150, "rate": 5e-4}, preferences(data))
    done("ppo", "ppo-own", "reward", PPO | {"steps": 30}, prompts(data))
    done("ppo-short", "ppo-own", "reward", PPO | {"steps": 30, "length_cost": 0.03}, prompts(data))
    report("three_stages", told(folders, data))


if __name__ == "__main__":
    main()
