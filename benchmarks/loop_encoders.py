"""The loop of improvement retrains the reader and the reranker from feedback, on real weights, and rules by itself.

    MAINSPRING_DATA=... python benchmarks/loop_encoders.py --train PYTHON [--rung reader] [--asked 240] [--held 120]
    [--steps N] [--keep FOLDER] [--dry]

A server of its own has four whole articles of SQuAD 2.0 dev, of which neither model that ships has seen anything.
Simulated people ask about every second paragraph, as many answerable questions as near misses, and get verbatim
answers. They cut an answer down to the sentences that say what they asked for, write that the documents do not say
where they do not, give thumbs, and are wrong one time of twenty. A policy has one rung, which starts from what ships.
Held out are questions about the other paragraphs. Nobody decides anything. PYTHON has the extra ``train``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from _library import data
from _report import Figure, earlier, report, skip, table
from mainspring.features.improve.demo.server import NAME, Served, served
from mainspring.rag.answer.generate import REFUSAL

ARTICLES, EVERY = "articles", 4
SEED, SLIPS, AT_ONCE = 11, 0.05, 3
FEEDBACK, HELD = "feedback", "held-out"
BASES = {"reader": "near-miss-reader", "reranker": "ms-marco-minilm-l12-v2-int8"}
GAINS = {"reader": {"name": "refusal", "effect": 0.02}, "reranker": {"name": "f1", "effect": 0.01}}
SPLIT = {"train": 0.9, "validation": 0.1, "test": 0.0}
OPTIONS = {"epochs": 3, "batch": 16, "learning_rate": 6e-5, "freeze": 6, "evaluate_every": 20, "patience": 0}
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])|\n+")
_MARK = re.compile(r"(?:(?<!\s)\s+)?\[\d+\]")
_OVER = ("promoted", "refused", "rolled back", "stopped")
_CAMPAIGN_S = 3000.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a paragraph. ``answers`` are the words that answer it (empty: nothing does), ``reference`` the
    paragraph's sentence that has them."""

    id: str
    text: str
    answers: tuple[str, ...]
    reference: str
    paragraph: str

    @property
    def kind(self) -> str:
        return "answerable" if self.answers else "near miss"


def articles() -> list[Mapping[str, Any]]:
    """Every fourth article: nothing was trained or chosen on them."""
    told = json.loads((data("qa/squad") / "dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    return [each for number, each in enumerate(told, 1) if number % EVERY == 0]


def written(folder: Path) -> Path:
    """The articles as files."""
    place = folder / ARTICLES
    place.mkdir(parents=True, exist_ok=True)
    for each in articles():
        title = str(each["title"]).replace("_", " ")
        text = "\n\n".join([f"# {title}", *(part["context"].strip() for part in each["paragraphs"])])
        (place / f"{each['title']}.md").write_text(text + "\n", encoding="utf-8")
    return place


def questions(count: int, half: int) -> list[Asked]:
    """``count`` of each kind, drawn by seed, about the even (0) or odd (1) paragraphs."""
    kinds: dict[str, list[Asked]] = {"answerable": [], "near miss": []}
    for article in articles():
        for number, part in enumerate(article["paragraphs"]):
            for row in part["qas"] if number % 2 == half else ():
                answers = tuple(dict.fromkeys(each["text"] for each in row["answers"]))
                said = next((each for each in sentences(part["context"]) if says(each, answers)), "")
                place = f"{article['title']} {number}"
                found = Asked(row["id"], row["question"].strip(), answers, said, place)
                if said or not answers:
                    kinds[found.kind].append(found)
    draw = Random(SEED)
    chosen = [each for rows in kinds.values() for each in draw.sample(rows, min(count, len(rows)))]
    return draw.sample(chosen, len(chosen))


def sentences(text: str) -> list[str]:
    return [each.strip() for each in _SENTENCE.split(_MARK.sub("", text)) if each.strip()]


def says(text: str, answers: Sequence[str]) -> bool:
    plain = text.casefold()
    return any(each.casefold() in plain for each in answers)


def opinion(asked: Asked, answer: str, slip: bool) -> dict[str, str]:
    """What somebody says of an answer; a slip is a thumb that points the wrong way."""
    refused = answer.startswith(REFUSAL.removesuffix("."))
    shown = sentences(answer)
    kept = [each for each in shown if says(each, asked.answers)]
    good = refused if not asked.answers else bool(kept) and len(kept) == len(shown)
    if slip:
        return {"rating": "down" if good else "up"}
    if good:
        return {"rating": "up"}
    if not asked.answers:
        return {"rating": "down", "edit": REFUSAL}
    return {"rating": "down", **({"edit": " ".join(kept)} if kept and not refused else {})}


async def people(server: Served, asked: Sequence[Asked]) -> dict[str, int]:
    """Each question is asked by another person, who says what it was worth; how often people did what."""
    gate, draw = asyncio.Semaphore(AT_ONCE), Random(SEED + 1)
    slips = [draw.random() < SLIPS for _ in asked]
    did = {"up": 0, "down": 0, "cut": 0, "not in the documents": 0, "refused": 0}

    async def one(number: int, each: Asked) -> None:
        async with gate:
            body = {"model": NAME, "user": f"person-{number}", "messages": [{"role": "user", "content": each.text}]}
            answer = await server.call("POST", "/v1/chat/completions", {**body, "options": {"cache": False}})
            text = str(answer["choices"][0]["message"]["content"])
            said = opinion(each, text, slips[number])
            await server.call("POST", "/v1/feedback", {"answer_id": answer["id"], "consent": True, **said})
        did[said["rating"]] += 1
        did["refused"] += text.startswith(REFUSAL)
        if "edit" in said:
            did["not in the documents" if said["edit"] == REFUSAL else "cut"] += 1

    await asyncio.gather(*(one(number, each) for number, each in enumerate(asked)))
    return did


def kept(rung: str) -> list[str]:
    """The scorers that may not fall, in the order of the policy."""
    return [each for each in ("refusal", "contains", "f1") if each != GAINS[rung]["name"]]


def policy(rung: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """One rung, which has to be better at what it is for, and not worse at the rest."""
    kind = "reader" if rung == "reader" else "rerank"
    return {
        "watch": {},
        "data": {"export": {"kind": kind, "options": {"distractors": 1, "good": True}, "split": SPLIT}},
        "rungs": [{"recipe": rung, "kind": rung, "base": BASES[rung], "options": {**OPTIONS, **options}}],
        "offline": {
            "dataset": HELD,
            "gain": GAINS[rung],
            "kept": [{"scorer": {"name": name}, "worse_by": 0.02} for name in kept(rung)],
            "slices": {"tags": ["kind"], "worse_by": 0.05},
        },
        "canary": None,
        "after": {"seconds": 10},
        "cooldown_s": 0,
    }


async def examples(server: Served, asked: Sequence[Asked]) -> None:
    """What is held out: the sentence that answers, or the refusal."""
    rows = [
        {
            "id": each.id,
            "question": each.text,
            "references": [each.reference or REFUSAL],
            "refused": not each.answers,
            "tags": {"kind": each.kind},
            "group": each.paragraph,
            "split": "test",
        }
        for each in asked
    ]
    await server.call("POST", f"/v1/datasets/{HELD}/versions", {"examples": rows})


async def campaign(server: Served, rung: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The campaign once it is over."""
    await server.call("PUT", f"/v1/improve/policies/{NAME}", policy(rung, options))
    made = await server.call("POST", f"/v1/improve/policies/{NAME}/run")
    until, stage = time.monotonic() + _CAMPAIGN_S, ""
    while time.monotonic() < until:
        found: dict[str, Any] = await server.call("GET", f"/v1/improve/campaigns/{made['id']}")
        if found["stage"] != stage:
            stage = found["stage"]
            print(f"{time.strftime('%H:%M:%S')} {rung}: {stage}: {found['reason'][:300]}", flush=True)
        if stage in _OVER:
            return found
        await asyncio.sleep(1.0)
    raise SystemExit(f"the campaign was {stage} after {_CAMPAIGN_S:.0f} s")


async def answered_by(server: Served, asked: Asked) -> str:
    """The version that answers people now, by the lineage of an answer; empty: what ships."""
    body = {"model": NAME, "messages": [{"role": "user", "content": asked.text}], "options": {"cache": False}}
    answer = await server.call("POST", "/v1/chat/completions", body)
    told = await server.call("GET", f"/v1/improve/lineage/answers/{answer['id']}")
    return str((told["given_by"] or {}).get("version") or "")


def counted(rung: str, found: Mapping[str, Any], told: Mapping[str, Any] | None) -> dict[str, Figure]:
    """The figures of a campaign, and of its comparison."""
    ended = f"{found['stage']}: {found['reason']}"
    steps = {name: value for step in found["steps"] for name, value in step["figures"].items()}
    rows = float(steps.get("rows train", 0))
    figures: dict[str, Figure | None] = {
        f"{rung}: rows for training": Figure(rows, "rows", "higher", against="what people kept, cut and refused"),
        f"{rung}: promoted": Figure(float(found["stage"] == "promoted"), "", "higher", against=ended[:300]),
    }
    if told is None:
        return {name: each for name, each in figures.items() if each is not None}
    parts: list[tuple[str, Mapping[str, Any]]] = [("", told)]
    parts += [(f" ({each['value']})", each) for each in told.get("slices", ()) if each["tag"] == "kind"]
    names = {"gain": str(GAINS[rung]["name"])}
    names |= {f"kept {place}": name for place, name in enumerate(kept(rung), 1)}
    for label, part in parts:
        for side, each in zip(("before", "after"), part["responders"], strict=False):
            for scorer, found_ in each["scores"].items():
                figures[f"{rung}: {names[scorer]}{label}, {side}"] = _figure(found_, "")
        for each in part["comparisons"]:
            figures[f"{rung}: {names[each['scorer']]}{label}, difference"] = _figure(each["difference"], "paired ")
    return {name: each for name, each in figures.items() if each is not None}


def _figure(found: Mapping[str, Any], how: str) -> Figure | None:
    """A mean with its interval; None: nothing was scored."""
    if found["mean"] is None:
        return None
    bounds = "" if found["low"] is None else f"{how}[{found['low']:.3f}, {found['high']:.3f}]; "
    return Figure(found["mean"], "", "higher", against=f"{bounds}{found['n']} questions")


async def loop(given: argparse.Namespace, home: Path) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    feedback, held = questions(given.asked, 0), questions(given.held, 1)
    async with served(home, written(home / "documents")) as server:
        began = time.monotonic()
        did = await people(server, feedback)
        print(f"{time.strftime('%H:%M:%S')} {len(feedback)} people: {did}", flush=True)
        rungs, of = "/".join(given.rung), f"of {len(feedback)}"
        for name, count in did.items():
            figures[f"{rungs}: feedback, {name}"] = Figure(float(count), "answers", "higher", against=of)
        await examples(server, held)
        for rung in given.rung:
            options = {} if not given.steps else {"steps": given.steps}
            found = await campaign(server, rung, options)
            (home / f"{rung}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
            told = None
            if compared := (found.get("made_with") or {}).get("comparison"):
                told = await server.call("GET", f"/v1/experiments/{compared}/report")
                (home / f"{rung}-report.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
            figures |= counted(rung, found, told)
            by = await answered_by(server, held[0])
            print(f"{rung}: people are answered by {by or 'what ships'}", flush=True)
        print(f"{time.monotonic() - began:.0f} s", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", default=sys.executable, help="the python of an environment with the extra train")
    parser.add_argument("--rung", action="append", choices=tuple(BASES), help="which models; both without it")
    parser.add_argument("--asked", type=int, default=240, help="questions of each kind that people ask")
    parser.add_argument("--held", type=int, default=120, help="questions of each kind that are held out")
    parser.add_argument("--steps", type=int, default=0, help="most steps of a training")
    parser.add_argument("--keep", type=Path, help="the folder of the home, which stays")
    parser.add_argument("--dry", action="store_true", help="write no result")
    given = parser.parse_args()
    given.rung = given.rung or list(BASES)
    if subprocess.run([given.train, "-c", "import torch, transformers"], check=False, capture_output=True).returncode:
        skip("it needs the extra train: name a python that has it with --train")
    os.environ["MAINSPRING_TRAIN__PYTHON"] = str(Path(given.train).absolute())
    os.environ["MAINSPRING_RAG__MODE"] = "extractive"
    with tempfile.TemporaryDirectory(prefix="mainspring-loop-") as folder:
        home = given.keep or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        figures = asyncio.run(loop(given, home))
    if given.dry:
        print(table(figures))
    else:
        others = tuple(f"{each}:" for each in BASES if each not in given.rung)
        report("loop_encoders", {**earlier("loop_encoders", lambda row: row.startswith(others)), **figures})


if __name__ == "__main__":
    main()
