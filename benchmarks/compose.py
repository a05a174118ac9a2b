"""Smart Compose on mails that neither training nor choosing saw, against Kneser-Ney 5-grams of the same mails.

    MAINSPRING_DATA=... python benchmarks/compose.py [--texts FOLDER] [--keep FOLDER] [--parts quality sweeps latency]

``--texts`` is the folder that ``_compose_texts.py`` wrote (made anew where it is missing); ``--keep`` keeps what parts
found, so that they may run one after the other. Perplexity a word and exact matches of the likeliest three words are
over what people wrote; a user types each mail and accepts the first suggestion if the mail goes on so. Differences are
paired, with a bootstrap over mails. Sales e-mails (SummEdits) are of an origin that training has nothing of. Latency is
measured through the gateway with several typers at once, each asking about a text of its own after each word, beside a
route that only answers (``/v1/scopes``) in the same run.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import random
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _compose_texts import build
from _library import data
from _report import Figure, report
from _server import UNLIMITED, Server, serving
from mainspring.features.compose.evaluating import Place, Row, Typed, drawn, exact, losses, perplexity, places, typed
from mainspring.features.compose.model.mixture import Mixture
from mainspring.features.compose.model.packed import Packed, load
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.suggesting import Suggesting

SOURCES = {"banking77": 80, "taskmaster4": 50, "sales": 10}
"""Mails of each source: questions to a bank, spoken orders, sales e-mails."""
SWEPT = 20
TYPERS, KEYS, WARM = 4, 60, 10


def sales() -> list[Row]:
    """Each sales e-mail once, without its subject line, up to 400 characters from its first sentence on."""
    raw = (data("judge/summedits") / "summedits_sales_email.json.gz").read_bytes()
    found: dict[str, Row] = {}
    for each in json.loads(gzip.decompress(raw)):
        head, _, body = each["doc"].partition("\n\n")
        body = body.split("\n\n", 1)[-1].split("\n\n")[0]
        if head.startswith("Subject:") and len(body.split()) > 20:
            text = body[:400].rsplit(" ", 1)[0]
            found[body[:80]] = {"source": "sales", "subject": head[8:].strip(), "to": "customer", "text": text}
    return list(found.values())


def mails(texts: Path) -> dict[str, list[Row]]:
    """The test side by source."""
    rows = [json.loads(line) for line in (texts / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    found: dict[str, list[Row]] = {}
    for source, most in SOURCES.items():
        mine = sales() if source == "sales" else [row for row in rows if row["source"] == source]
        random.Random(5).shuffle(mine)
        found[source] = mine[:most]
    return found


def bootstrap(pairs: Sequence[tuple[float, float]], of: Callable[[Sequence[tuple[float, float]]], float]) -> str:
    """The 95 % interval of ``of`` over mails."""
    draw = random.Random(0)
    spread = sorted(of(draw.choices(pairs, k=len(pairs))) for _ in range(2000))
    return f"[{spread[49]:.3g}, {spread[1949]:.3g}]"


def ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(one for one, _ in pairs) / max(1.0, sum(of for _, of in pairs))


def quality(texts: Path) -> dict[str, Any]:
    packed = load()
    assert isinstance(packed.model, Mixture)
    ngrams = dataclasses.replace(packed, model=packed.model.ngrams)
    figures: dict[str, Any] = {}
    for source, rows in mails(texts).items():
        read = {
            name: [(float(nats.sum()), words) for nats, words in (losses(packed, model, row) for row in rows)]
            for name, model in (("served", packed.model), ("decoder", packed.decoder), ("n-grams", packed.model.ngrams))
        }
        words = sum(count for _, count in read["served"])
        for name, found in read.items():
            against = f"{len(rows)} mails, {words} words"
            figures[f"{source}: perplexity a word, {name}"] = _figure(perplexity(found), "perplexity", "lower", against)
        gains = [(other[0] - one[0], one[1]) for one, other in zip(read["served"], read["n-grams"], strict=True)]
        against = f"n-grams; 95 % {bootstrap(gains, ratio)}, n {len(rows)} mails"
        figures[f"{source}: nats a word gained"] = _figure(ratio(gains), "nats", "higher", against, 0.0)
        figures |= matches(source, packed, ngrams, rows) | accepted(source, packed, ngrams, rows)
    return figures


def matches(source: str, packed: Packed, ngrams: Packed, rows: Sequence[Row]) -> dict[str, Any]:
    chosen = drawn(rows, 2)
    hits = {}
    for name, each in (("served", packed), ("n-grams", ngrams)):
        ids = Suggesting(each, ComposeSettings())
        hits[name] = [
            exact(each.model, each.vocabulary, place, ids.ids(place.asked(), place.before.rstrip(" \t")))
            for place in chosen
        ]
    pairs = [(float(one) - float(other), 1.0) for one, other in zip(hits["served"], hits["n-grams"], strict=True)]
    figures = {
        f"{source}: exact match of three words, {name}": _figure(
            sum(found) / len(found), "share", "higher", f"{len(found)} places; 95 % {bootstrap(_ones(found), ratio)}"
        )
        for name, found in hits.items()
    }
    against = f"n-grams; 95 % {bootstrap(pairs, ratio)}, n {len(pairs)} places"
    figures[f"{source}: exact match of three words, difference"] = _figure(
        ratio(pairs), "share", "higher", against, 0.0
    )
    return figures


def _ones(found: Sequence[bool]) -> list[tuple[float, float]]:
    return [(float(each), 1.0) for each in found]


def accepted(source: str, packed: Packed, ngrams: Packed, rows: Sequence[Row]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    saved = {}
    for name, each in (("served", packed), ("n-grams", ngrams)):
        found = type_all(each, rows, ComposeSettings())
        shown = [(float(one.accepted), float(one.shown)) for one in found]
        saved[name] = [(float(one.saved), float(one.characters)) for one in found]
        asked = sum(one.asked for one in found)
        figures[f"{source}: accepted among shown, {name}"] = _figure(
            ratio(shown), "share", "higher", f"{int(sum(n for _, n in shown))} shown at {asked} places; "
            f"95 % {bootstrap(shown, ratio)}",
        )  # fmt: skip
        figures[f"{source}: characters saved, {name}"] = _figure(
            ratio(saved[name]), "share", "higher", f"{len(rows)} mails; 95 % {bootstrap(saved[name], ratio)}"
        )
    pairs = [(one[0] - other[0], one[1]) for one, other in zip(saved["served"], saved["n-grams"], strict=True)]
    against = f"n-grams; 95 % {bootstrap(pairs, ratio)}, n {len(rows)} mails"
    figures[f"{source}: characters saved, difference"] = _figure(ratio(pairs), "share", "higher", against, 0.0)
    return figures


def type_all(packed: Packed, rows: Sequence[Row], settings: ComposeSettings) -> list[Typed]:
    suggesting = Suggesting(packed, settings)

    def first(place: Place) -> str | None:
        found = suggesting.suggest(place.asked(least=settings.least_confidence)).suggestions
        return found[0].text if found else None

    return [typed(row, first) for row in rows]


def sweeps(texts: Path) -> dict[str, Any]:
    """Thresholds and triggers, on other mails than ``quality``: those of the validation side."""
    lines = (texts / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if "subject" in row]
    random.Random(6).shuffle(rows)
    rows, packed = rows[:SWEPT], load()
    figures: dict[str, Any] = {}
    settings = {f"confidence {each}": {"least_confidence": each} for each in (0.05, 0.1, 0.15, 0.25, 0.4, 0.6)}
    settings |= {f"after {each} words": {"least_words": each} for each in (1, 5, 8)}
    settings |= {f"length power {each}": {"length_power": each} for each in (0.0, 0.35, 1.0)}
    for name, changed in settings.items():
        found = type_all(packed, rows, ComposeSettings(**changed))
        shown = [(float(one.accepted), float(one.shown)) for one in found]
        saved = [(float(one.saved), float(one.characters)) for one in found]
        told = f"{int(sum(n for _, n in shown))} shown, {len(rows)} mails of the validation side"
        figures[f"{name}: accepted among shown"] = _figure(ratio(shown), "share", "higher", told)
        figures[f"{name}: characters saved"] = _figure(ratio(saved), "share", "higher", told)
    return figures


def latency(texts: Path) -> dict[str, Any]:
    rows = [row for each in mails(texts).values() for row in each]
    with tempfile.TemporaryDirectory() as home, serving(Path(home) / "home", settings=UNLIMITED) as server:
        bodies = [
            {"body": place.before, "subject": place.row["subject"], "to": place.row["to"], "suggestions": 3}
            for row in rows
            for place in places(row)
        ]
        random.Random(4).shuffle(bodies)
        for body in bodies[:WARM]:
            _call(server, "/v1/compose", body)
        ours, plain = [], []
        lock = threading.Lock()

        def typer(number: int) -> None:
            for body in bodies[WARM + number : WARM + TYPERS * KEYS : TYPERS]:
                one, other = _call(server, "/v1/compose", body), _call(server, "/v1/scopes", None)
                with lock:
                    ours.append(one)
                    plain.append(other)

        threads = [threading.Thread(target=typer, args=(number,)) for number in range(TYPERS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    figures: dict[str, Any] = {}
    for name, found in (("suggestions", ours), ("a route that only answers", plain)):
        found.sort()
        told = f"{len(found)} requests of {TYPERS} typers at once, a machine with two cores"
        figures[f"{name}: P50"] = _figure(1000 * statistics.median(found), "ms", "lower", told)
        aim = 100.0 if name == "suggestions" else None
        figures[f"{name}: P99"] = _figure(1000 * found[int(0.99 * len(found))], "ms", "lower", told, aim)
    return figures


def _call(server: Server, path: str, body: Any) -> float:
    """Seconds."""
    headers = {"authorization": f"Bearer {server.key}", "content-type": "application/json"}
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, sent, headers)
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
    return time.perf_counter() - began


def _figure(value: float, unit: str, better: str, against: str, floor: float | None = None) -> dict[str, Any]:
    return {"value": round(value, 4), "unit": unit, "better": better, "against": against, "floor": floor}


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {"quality": quality, "sweeps": sweeps, "latency": latency}


def main() -> None:
    parser = argparse.ArgumentParser(description="Smart Compose")
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        texts = asked.texts or Path(made) / "texts"
        if not (texts / "test.jsonl").exists():
            build(texts, [])
        keep = asked.keep or Path(made) / "keep"
        keep.mkdir(parents=True, exist_ok=True)
        for name in asked.parts:
            (keep / f"{name}.json").write_text(json.dumps(PARTS[name](texts), indent=1), encoding="utf-8")
        found: dict[str, Any] = {}
        for name in PARTS:
            if (keep / f"{name}.json").exists():
                found |= json.loads((keep / f"{name}.json").read_text(encoding="utf-8"))
    report("compose", {name: Figure(**each) for name, each in found.items()})


if __name__ == "__main__":
    main()
