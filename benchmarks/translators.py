"""Translators trained by the recipe ``translate``: BLEU, chrF, METEOR and copies on held-out sentences.

    MAINSPRING_DATA=... python benchmarks/translators.py ARM --keep FOLDER [--seconds N] [--steps N] [--spans N]
    python benchmarks/translators.py chat --keep FOLDER --model NAME [--tested N]
    python benchmarks/translators.py package --keep FOLDER --of ARM --out FOLDER
    python benchmarks/translators.py report --keep FOLDER

ARM is ``four`` (English with French, Spanish and Korean in one model), ``longer`` (which learns on from ``four``),
``pair`` (English and French alone) or ``pair-plain`` (the same without span corruption: all steps are translation).
Those that start from nothing have the same size, batches and
number of steps, of which ``--spans`` are span corruption. Each run lies below FOLDER; with ``--seconds`` it stops after
a checkpoint, and the same command goes on. ``--strings WHEEL`` (Django's, for one) adds the strings of programs as a
second domain, when FOLDER is new. ``chat`` has a chat model of the catalogue translate the first N sentences of each
set through the gateway, which is what ``translate.chat`` does; the first of ``four`` are compared with these.

``package`` writes the translator of an arm as the package brings it: without Korean, of which there are too few pairs,
and with the probability below which it doubts a translation. That is chosen on the validation sentences, such that it
parts best those with a chrF below 35 from others; what it is worth is told of the tests.

The sentences are Tatoeba's; what is measured are LASER's tests, 1,000 a language, in both directions, and nothing near
to one of them was learned. The floor is a dictionary that was learned of the same pairs, word by word. Korean has
3,708 pairs: it is reported without a floor. ``report`` writes the result of what is finished.

Needs the extra ``train`` and ``translate``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from _report import SKIPPED, Figure, data_sets, report, skip
from mainspring.features.translate.engine.card import PACKAGED

if TYPE_CHECKING:
    from mainspring.features.translate.training.measure import Set, Worth

ARMS: Mapping[str, tuple[str, tuple[str, ...], bool]] = {
    "four": ("four languages", (), True),
    "longer": ("four languages, longer", (), False),
    "pair": ("one pair", ("en-fr",), True),
    "pair-plain": ("one pair, no span corruption", ("en-fr",), False),
}
"""Name in the result, pairs (none: all), and whether it begins with span corruption."""
STARTS: Mapping[str, str] = {"longer": "four"}
"""The arm whose finished model an arm learns on from."""
COMPARED = {"four languages over one pair": ("four", "pair"), "span corruption": ("pair", "pair-plain")}
SIDES, SEED = ("train", "validation", "test"), 1
Said = Mapping[str, Sequence[str]]


def data(keep: Path, strings: Sequence[Path]) -> Path:
    """The pairs, split once."""
    from mainspring.features.translate.training import pairs

    folder = keep / "data"
    if not (folder / "manifest.json").exists():
        tatoeba = data_sets() / "sequence/tatoeba"
        if not tatoeba.exists():
            skip("MAINSPRING_DATA has no sequence/tatoeba (docs/reference/benchmarks-data.md)")
        found = [*pairs.tatoeba(tatoeba)]
        for wheel in strings:
            found += pairs.home_assistant(wheel) if "home_assistant" in wheel.name else pairs.catalogues(wheel)
        made = pairs.split(found, pairs.laser_tests(tatoeba / "laser_test"), folder)
        print(f"pairs to learn: {dict(made.train)}; near to a test and left out: {dict(made.near)}", flush=True)
    return folder


def go_on(arm: str, asked: argparse.Namespace) -> None:
    """A piece of a run; when it is whole, what it says to the test sentences is kept."""
    try:
        import ctranslate2  # noqa: F401
        import sacrebleu  # noqa: F401
        import torch
    except ImportError as error:
        skip(f"{error.name} is not installed: pip install 'mainspring[train,translate,eval]'")
    from mainspring.features.translate.recipes import RECIPES
    from mainspring.training.folder import Folder, RunRequest
    from mainspring.training.recipe import Interrupted
    from mainspring.training.run import Run

    torch.set_num_threads(1)
    source, folder = data(asked.keep, asked.strings), Folder(asked.keep / arm)
    if folder.made is None:
        _, pairs, spans = ARMS[arm]
        first = asked.spans if spans else 0
        options = {"pairs": pairs, "pretrain_steps": first, "steps": asked.steps - first, "tested": 8}
        options |= {"batch_tokens": asked.batch_tokens, "rate": asked.rate}
        options |= {name: json.loads(value) for name, _, value in (each.partition("=") for each in asked.option)}
        until = time.time() + asked.seconds if asked.seconds else None
        given = {"start": str(asked.keep / STARTS[arm])} if arm in STARTS else {}
        folder.create(RunRequest("translate", options, seed=SEED, until=until, given=given))
        for side in SIDES:
            if not (folder.data / f"{side}.jsonl").exists():
                shutil.copy(source / f"{side}.jsonl", folder.data)
        run = Run(RECIPES[0], folder, folder.asked)
        run.on_terminate()
        try:
            folder.finish(run.do())
        except Interrupted:
            print(f"{arm} stopped; the same command goes on", file=sys.stderr)
            raise SystemExit(3) from None
    if not said_by(folder.path).exists():
        said_by(folder.path).write_text(json.dumps(said(folder.output / "translator", asked.keep, arm)))


def said_by(folder: Path) -> Path:
    """What a translator says to the sentences of each set."""
    return folder / "said.json"


def held_out(keep: Path, arm: str) -> list[Set]:
    """The test sets that an arm knows, in both directions."""
    from mainspring.features.translate.training.measure import sets

    pairs = ARMS[arm][1]
    return sets((row for row in rows(keep, "test") if not pairs or f"{row['from']}-{row['to']}" in pairs), both=True)


def rows(keep: Path, side: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (keep / "data" / f"{side}.jsonl").read_text(encoding="utf-8").splitlines()]


def said(translator: Path, keep: Path, arm: str) -> dict[str, list[str]]:
    """Beam search, as it is served."""
    from mainspring.features.translate.engine.translator import Translator

    opened, found = Translator(translator), {}
    for held in held_out(keep, arm):
        began = time.monotonic()
        made = opened.translated(held.sources, held.source_language, held.target_language)
        found[held.name] = [each.text for each in made]
        print(f"{arm}, {held.name}: {time.monotonic() - began:.0f} s", flush=True)
    opened.close()
    return found


def by_chat(keep: Path, model: str, tested: int) -> None:
    """What a chat model says, sentence by sentence."""
    from _server import UNLIMITED, serving

    data(keep, ())
    found: dict[str, list[str]] = {}
    settings = {**UNLIMITED, "MAINSPRING_MODELS__CHAT": json.dumps([model])}
    with tempfile.TemporaryDirectory() as home, serving(Path(home) / "home", settings=settings) as server:
        for held in held_out(keep, "four"):
            began, made = time.monotonic(), []
            for text in held.sources[:tested]:
                body = {"text": text, "source": held.source_language, "target": held.target_language, "model": model}
                request = urllib.request.Request(
                    f"{server.url}/v1/translate",
                    json.dumps(body).encode(),
                    {"authorization": f"Bearer {server.key}", "content-type": "application/json"},
                )
                with urllib.request.urlopen(request, timeout=300) as answer:
                    made.append(json.loads(answer.read())["text"])
            found[held.name] = made
            print(f"{model}, {held.name}: {time.monotonic() - began:.0f} s", flush=True)
    (keep / "chat").mkdir(exist_ok=True)
    said_by(keep / "chat").write_text(json.dumps({"model": model, "said": found}))


PACKED = ("config.json", "model.bin", "shared_vocabulary.json", "start.json", "tokenizer.json")
POOR = 35.0


def package(keep: Path, arm: str, out: Path) -> None:
    """The translator of an arm, as it is brought; ``package.json`` in ``keep`` has what its doubts are worth."""
    from mainspring.features.translate.engine import card

    folder = keep / arm / "output" / "translator"
    whole = card.read(folder)
    pairs = tuple(each for each in whole.pairs if "ko" not in each)
    scores, values = judged(folder, keep, "validation")
    poor = values < POOR
    # Youden's index: the share of poor ones below, less that of others.
    cuts = np.unique(np.round(scores, 2))
    doubtful = max(cuts.tolist(), key=lambda cut: float((scores[poor] < cut).mean() - (scores[~poor] < cut).mean()))
    out.mkdir(parents=True, exist_ok=True)
    for name in PACKED:
        shutil.copy(folder / name, out)
    dataclasses.replace(whole, pairs=pairs, doubtful=round(doubtful, 2)).write(out)
    scores, values = judged(folder, keep, "test")
    below, poor = scores < doubtful, values < POOR
    ranks = np.argsort(np.argsort(-scores)) + 1.0
    auroc = (ranks[poor].sum() - poor.sum() * (poor.sum() + 1) / 2) / (poor.sum() * (~poor).sum())
    told = {
        "of": arm, "doubtful": round(doubtful, 2), "n": len(scores), "share": float(below.mean()),
        "auroc": float(auroc),
        "doubted": float(values[below].mean()), "others": float(values[~below].mean()),
        "poor found": float(below[poor].mean()), "good doubted": float(below[~poor].mean()),
    }  # fmt: skip
    (keep / "package.json").write_text(json.dumps(told, indent=1))
    print(told)


def judged(translator: Path, keep: Path, side: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The score of each translation of a side, and its chrF; without Korean."""
    from sacrebleu.metrics.chrf import CHRF

    from mainspring.features.translate.engine.translator import Translator
    from mainspring.features.translate.training.measure import sets

    opened, metric = Translator(translator), CHRF()
    scores: list[float] = []
    values: list[float] = []
    for held in sets(rows(keep, side), both=True):
        if "ko" in (held.source_language, held.target_language):
            continue
        made = opened.translated(held.sources, held.source_language, held.target_language)
        scores += [each.score for each in made]
        values += [
            metric.sentence_score(each.text, [wanted]).score for each, wanted in zip(made, held.references, strict=True)
        ]
    opened.close()
    return np.array(scores), np.array(values)


def package_figures(keep: Path) -> dict[str, Figure]:
    """What the doubts of the packaged translator are worth, on the tests."""
    found = keep / "package.json"
    if not found.exists():
        return {}
    told = json.loads(found.read_text(encoding="utf-8"))
    of = f"{told['n']} texts of the tests; doubted below {told['doubtful']}, chosen on validation"
    name = "the packaged translator's doubts"
    return {
        f"{name}: AUROC of poor ones": Figure(round(told["auroc"], 3), "AUROC", "higher", against=of),
        f"{name}: doubted": Figure(round(told["share"], 3), "share", "lower", against=of),
        f"{name}: poor ones that are doubted": Figure(round(told["poor found"], 3), "share", "higher", against=of),
        f"{name}: others that are doubted": Figure(round(told["good doubted"], 3), "share", "lower", against=of),
        f"{name}: chrF of doubted": Figure(round(told["doubted"], 1), "chrF", "higher", against=of),
        f"{name}: chrF of others": Figure(round(told["others"], 1), "chrF", "higher", against=of),
    }


def chat_figures(keep: Path, trained: Mapping[str, Said]) -> dict[str, Figure]:
    """A chat model on the first sentences, and how much better it is than a dictionary, and ``trained`` arms than it on
    the same ones."""
    from mainspring.features.translate.training.measure import dictionary, worth

    figures: dict[str, Figure] = {}
    told = json.loads(said_by(keep / "chat").read_text(encoding="utf-8"))
    train = rows(keep, "train")
    for held in held_out(keep, "four"):
        texts = told["said"][held.name]
        n = len(texts)
        part = dataclasses.replace(held, sources=held.sources[:n], references=held.references[:n])
        its = worth(texts, part)
        against = f"{_between(its.bleu_interval)}, {n} texts; copied {its.copied:.3f}"
        name = f"{told['model']}: BLEU {label(held)}"
        figures[name] = Figure(round(its.bleu, 2), "BLEU", "higher", against=against)
        known = dictionary(train, held)
        floor = worth([known.translate(each) for each in part.sources], part)
        low, high = its.above(floor)
        name = f"gain of {told['model']} over a dictionary: {label(held)}"
        against = f"[{low:+.2f}, {high:+.2f}], {n} texts; the dictionary {floor.bleu:.1f}"
        figures[name] = Figure(round(its.bleu - floor.bleu, 2), "BLEU", "higher", against=against)
        for arm, said in trained.items():
            mine = worth(said[held.name][:n], part)
            low, high = mine.above(its)
            against = f"[{low:+.2f}, {high:+.2f}], {n} texts"
            name = f"gain of {ARMS[arm][0]} over {told['model']}: {label(held)}"
            figures[name] = Figure(round(mine.bleu - its.bleu, 2), "BLEU", "higher", against=against)
    return figures


def label(held: Set) -> str:
    return f"{held.source_language}-{held.target_language}, {held.domain}"


def figures_of(
    name: str, steps: str, own: Mapping[str, Worth], floors: Mapping[str, Worth], sets: Sequence[Set]
) -> dict[str, Figure]:
    """Of one arm: a row for each metric and set."""
    made: dict[str, Figure] = {}
    for held in sets:
        mine, floor, of = own[held.name], floors[held.name], f"{len(held.sources)} texts"
        low, high = mine.above(floor)
        bleu = f"{_between(mine.bleu_interval)}, {of}, {steps}; a dictionary of the same pairs {floor.bleu:.1f}, "
        bleu += f"difference {mine.bleu - floor.bleu:+.1f} [{low:+.1f}, {high:+.1f}]"
        chrf = f"{_between(mine.chrf_interval)}, {of}; the dictionary {floor.chrf:.1f}"
        # Too few pairs for a target.
        wanted = "ko" not in (held.source_language, held.target_language)
        for metric, value, least, against in (
            ("BLEU", mine.bleu, floor.bleu, bleu),
            ("chrF", mine.chrf, floor.chrf, chrf),
        ):
            lowest = round(least, 2) if wanted else None
            made[f"{name}: {metric} {label(held)}"] = Figure(round(value, 2), metric, "higher", lowest, against=against)
        meteor = f"{of}; the dictionary {floor.meteor:.3f}"
        made[f"{name}: METEOR {label(held)}"] = Figure(round(mine.meteor, 3), "METEOR", "higher", against=meteor)
        made[f"{name}: copied {label(held)}"] = Figure(round(mine.copied, 4), "share", "lower", against=of)
    return made


def _between(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:.1f}, {interval[1]:.1f}]"


def floors_of(keep: Path) -> dict[str, Worth]:
    """What dictionaries of the same pairs are worth, by set."""
    from mainspring.features.translate.training.measure import dictionary, worth

    train, found = rows(keep, "train"), {}
    for held in held_out(keep, "four"):
        known = dictionary(train, held)
        found[held.name] = worth([known.translate(each) for each in held.sources], held)
    return found


def told(keep: Path) -> None:
    """The result of what is finished."""
    from mainspring.features.translate.training.measure import worth
    from mainspring.training.folder import Folder

    finished = [arm for arm in ARMS if said_by(keep / arm).exists()]
    asked_chat = said_by(keep / "chat").exists()
    if not finished and not asked_chat:
        sys.exit("no arm is finished yet: run one again with the same --keep")
    floors = floors_of(keep) if finished else {}
    figures: dict[str, Figure] = {}
    found: dict[str, dict[str, Worth]] = {}
    steps: dict[str, int] = {}
    for arm in finished:
        sets = held_out(keep, arm)
        texts: Said = json.loads(said_by(keep / arm).read_text(encoding="utf-8"))
        found[arm] = {held.name: worth(texts[held.name], held) for held in sets}
        options = Folder(keep / arm).asked.options
        steps[arm] = options["pretrain_steps"] + options["steps"]
        if arm in STARTS:
            steps[arm] += steps[STARTS[arm]]
        trained = f"{options['pretrain_steps']} + {options['steps']} steps of {options['batch_tokens']} pieces"
        trained += f" on from {ARMS[STARTS[arm]][0]}" if arm in STARTS else ""
        figures |= figures_of(ARMS[arm][0], trained, found[arm], floors, sets)
    for what, (one, other) in COMPARED.items():
        if one in found and other in found and steps[one] == steps[other]:
            for held in held_out(keep, other):
                mine, its = found[one][held.name], found[other][held.name]
                low, high = mine.above(its)
                against = f"[{low:+.2f}, {high:+.2f}], {mine.n} texts, {steps[one]} steps each"
                name = f"gain of {what}: {label(held)}"
                figures[name] = Figure(round(mine.bleu - its.bleu, 2), "BLEU", "higher", against=against)
    if asked_chat:
        many = [arm for arm in finished if not ARMS[arm][1]]
        figures |= chat_figures(keep, {each: json.loads(said_by(keep / each).read_text("utf-8")) for each in many})
    report("translators", figures | package_figures(keep))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", default="", choices=["", *ARMS, "chat", "package", "report"])
    parser.add_argument("--keep", type=Path, help="folder of the data and the runs")
    parser.add_argument("--seconds", type=float, default=0, help="stop after a checkpoint then; 0: when it is whole")
    parser.add_argument("--steps", type=int, default=1_300, help="steps in all")
    parser.add_argument("--spans", type=int, default=100, help="of these, steps of span corruption")
    parser.add_argument("--batch-tokens", type=int, default=4_096, help="pieces of a batch")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--option", action="append", default=[], help="NAME=VALUE of the recipe, for all arms alike")
    parser.add_argument("--strings", type=Path, nargs="*", default=[], help="wheels with the strings of programs")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b-instruct", help="the chat model of `chat`")
    parser.add_argument("--tested", type=int, default=40, help="sentences of each set that it translates")
    parser.add_argument("--of", default="longer", choices=list(ARMS), help="the arm of `package`")
    parser.add_argument("--out", type=Path, help="the folder that `package` writes")
    asked = parser.parse_args()
    if not asked.part or asked.keep is None:
        print("it runs in parts: name one, and a folder to keep them in", file=sys.stderr)
        raise SystemExit(SKIPPED)
    if asked.part == "report":
        told(asked.keep)
    elif asked.part == "package":
        package(asked.keep, asked.of, asked.out or PACKAGED / "everyday")
    elif asked.part == "chat":
        by_chat(asked.keep, asked.model, asked.tested)
    else:
        go_on(asked.part, asked)


if __name__ == "__main__":
    main()
