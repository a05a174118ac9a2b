"""Runs of training for benchmarks: in pieces, in a process of another environment, and served as their users serve
them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from _report import Figure, skip
from mainspring.core.settings import load
from mainspring.engines.catalogue import differences
from mainspring.engines.catalogue.entries import Catalogue, ModelEntry
from mainspring.engines.catalogue.pull import PulledModel, Puller
from mainspring.engines.catalogue.sources import sha256_of
from mainspring.training.encoders import figures, weights
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipe import Made

RERANKER, EMBEDDER = "ms-marco-minilm-l12-v2-int8", "all-minilm-l6-v2"
Rows = Sequence[Mapping[str, Any]]


def asked(description: str | None) -> Namespace:
    """The arguments of all of them."""
    if "--keep" not in sys.argv and "-h" not in sys.argv and "--help" not in sys.argv:
        skip("it trains for many minutes in a folder that --keep names")
    parser = ArgumentParser(description=description)
    parser.add_argument("--keep", type=Path, required=True, help="the folder of the run; called again it goes on")
    parser.add_argument("--seconds", type=float, default=540, help="of training in this call")
    parser.add_argument("--train", default=sys.executable, help="the python of an environment with the extra train")
    parser.add_argument("--pack", type=int, default=0, help="write what was learned into the package, at this rank")
    parser.add_argument("--rank", action="store_true", help="with --score: measure how it orders paragraphs, too")
    parser.add_argument("--score", action="store_true", help="measure what was trained")
    parser.add_argument("--option", action="append", default=[], help="NAME=JSON, in place of the run's own option")
    return parser.parse_args()


def pulled(name: str) -> PulledModel:
    """A model of the catalogue that is on this machine."""
    return Puller(load().settings).local(name)


def train(
    arguments: Namespace, recipe: str, base: str, options: Mapping[str, Any], seed: int, sides: Any, name: str = "run"
) -> Made | None:
    """Go on with the run, or begin it with the rows of ``sides()`` by name; None: it is not done yet."""
    folder = Folder(arguments.keep / name)
    if folder.made:
        return folder.made
    source = str(pulled(base).files["weights"].parent)
    own = {name: json.loads(value) for name, _, value in (each.partition("=") for each in arguments.option)}
    until = time.time() + arguments.seconds
    folder.create(RunRequest(recipe, {**options, **own}, seed, source, until=until, threads=2))
    if not (folder.data / "train.jsonl").exists():
        for side, rows in reversed(sides().items()):
            text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows)
            (folder.data / f"{side}.jsonl").write_text(text, encoding="utf-8")
    command = [arguments.train, "-m", "mainspring.training.child", str(folder.path)]
    done = subprocess.run(command, check=False)
    print("status", done.returncode, "step", max((each["step"] for each in folder.metrics()), default=0))
    print(folder.error or folder.made or "not done yet: call again", flush=True)
    return folder.made


def served(keep: Path, name: str = "run") -> PulledModel:
    """What a run made, pulled into a catalogue of its own: the graph that a server would load."""
    folder = Folder(keep / name)
    made = folder.made
    if made is None:
        raise SystemExit("nothing was made yet: train first")
    files = [
        {"name": each["name"], "sources": [f"file:{folder.output / each['name']}"]} for each in made.entry["files"]
    ]
    entry = ModelEntry.model_validate(
        {**made.entry, "files": files, "name": f"trained-{name}", "license": "Apache-2.0"}
    )
    settings = load().settings
    apart = settings.model_copy(update={"models": settings.models.model_copy(update={"directory": keep / "models"})})
    return Puller(apart, Catalogue({entry.name: entry})).pull(entry.name)


def pack(keep: Path, base: str, target: Path, rank: int, name: str = "run") -> None:
    """Write what a run has changed in ``base``, at this rank, into the package, and print its hash and size."""
    arrays = weights.read(Folder(keep / name).output).weights
    found = differences.narrowed(weights.read(pulled(base).files["weights"].parent).weights, arrays, rank)
    target.parent.mkdir(exist_ok=True)
    save_file(found, target)
    print(f"sha256: {sha256_of(target)}\nsize_bytes: {target.stat().st_size}", flush=True)


def size_mb(keep: Path, name: str = "run") -> float:
    """Of all files that are needed to serve what was made, in MB."""
    folder = Folder(keep / name)
    files = folder.made.entry["files"] if folder.made else ()
    return sum(float((folder.output / each["name"]).stat().st_size) for each in files) / 1e6


def compared(name: str, scores: Any, wanted: Any, groups: Sequence[str], what: str) -> dict[str, Figure]:
    """AUROC of what was trained and of what ships, the columns of ``scores`` (rows, 2), and their paired difference;
    ``what`` the rows are."""

    def ours(at: Any) -> float:
        return figures.auroc(scores[at, 0], wanted[at])

    def theirs(at: Any) -> float:
        return figures.auroc(scores[at, 1], wanted[at])

    found = {}
    for label, side in (("trained", ours), ("as it ships", theirs)):
        low, high = figures.interval(side, groups)
        text = f"[{low:.3f}, {high:.3f}]; {len(groups)} {what}, {len(set(groups))} texts"
        found[f"{name}: AUROC, {label}"] = Figure(side(np.arange(len(groups))), "", "higher", against=text)
    value, low, high = figures.paired(ours, theirs, groups)
    found[f"{name}: gain"] = Figure(value, "", "higher", 0.0, against=f"paired [{low:.3f}, {high:.3f}]")
    return found
