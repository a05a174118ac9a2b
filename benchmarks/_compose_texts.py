"""Texts to train and to measure Smart Compose with: mails made of support texts that people wrote, and general English.

No mail corpus with a permissive licence is at hand. The mails are made of questions of customers (Banking77,
CC-BY-4.0), spoken orders (Taskmaster-4, CC-BY-4.0) and mails that a model wrote (``_compose_mails.py``). A frame
(greeting, closing) is put around each of them; ``from`` and ``until`` of a row are the part of its text that was there
before. Texts that are nearly equal are on one side of the split.

    MAINSPRING_DATA=... python benchmarks/_compose_texts.py FOLDER [--mails FILE ...]

writes ``train.jsonl``, ``validation.jsonl``, ``test.jsonl`` and ``manifest.json``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import random
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from _library import data

Row = dict[str, Any]
_ALIKE = 0.6
_GREETINGS = ("Hi,\n\n", "Hello,\n\n", "Dear support team,\n\n", "Hi there,\n\n", "Good morning,\n\n", "", "", "")
_CLOSINGS = ("\n\nThanks,", "\n\nThank you,", "\n\nKind regards,", "\n\nBest regards,", "\n\nMany thanks,", "", "", "")


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9']+", text.lower()))


def clusters(texts: Sequence[str], blocks: Sequence[str], alike: float = _ALIKE) -> list[int]:
    """The number of the cluster of each text: those of one block whose words are alike (Jaccard) are in one."""
    parent = list(range(len(texts)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    seen = [words(each) for each in texts]
    by_block: dict[str, list[int]] = defaultdict(list)
    for at, block in enumerate(blocks):
        by_block[block].append(at)
    for members in by_block.values():
        for number, one in enumerate(members):
            for other in members[number + 1 :]:
                both = len(seen[one] & seen[other])
                if both and both >= alike * (len(seen[one]) + len(seen[other]) - both):
                    parent[root(one)] = root(other)
    same: dict[str, int] = {}
    for at, text in enumerate(texts):
        key = " ".join(sorted(words(text)))
        parent[root(at)] = root(same.setdefault(key, at))
    return [root(at) for at in range(len(texts))]


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def side(name: str) -> str:
    """80, 10 and 10 of a hundred names."""
    share = int(hashlib.sha256(f"compose {name}".encode()).hexdigest()[:8], 16) % 100
    return "train" if share < 80 else "validation" if share < 90 else "test"


def framed(draw: random.Random, source: str, subject: str, to: str, text: str, *, frame: bool = True) -> Row:
    """A mail around ``text``."""
    greeting = draw.choice(_GREETINGS) if frame else ""
    closing = draw.choice(_CLOSINGS) if frame else ""
    return {
        "source": source,
        "subject": subject,
        "to": to,
        "text": greeting + text + closing,
        "from": len(greeting),
        "until": len(greeting) + len(text),
    }


def banking() -> Iterator[tuple[str, Row]]:
    """(side, mail) of Banking77: one question or two of one intent, with the intent as subject."""
    folder = data("agents/support_dialogue/banking77")
    found = list(csv.DictReader(_text(folder / "train.csv.gz").splitlines()))
    found += list(csv.DictReader(_text(folder / "test.csv").splitlines()))
    texts = [" ".join(each["text"].split()) for each in found]
    intents = [each["category"] for each in found]
    sides = [side(f"banking {texts[number]}") for number in clusters(texts, intents)]
    waiting: dict[tuple[str, str], str] = {}
    draw = random.Random(7)
    for text, intent, where in zip(texts, intents, sides, strict=True):
        plain = intent.replace("_", " ").lower()
        subject = draw.choice((plain.capitalize(), plain, f"Question about {plain}", f"Problem: {plain}", ""))
        key = (where, intent)
        if key not in waiting and draw.random() < 0.3:
            waiting[key] = text
            continue
        first = waiting.pop(key, "")
        yield where, framed(draw, "banking77", subject, draw.choice(("support", "customer service", "bank", "")),
                            f"{first} {text}".strip())  # fmt: skip


def orders() -> Iterator[tuple[str, Row]]:
    """(side, mail) of Taskmaster-4: what the customer says as one mail, what the shop says as another."""
    dialogues = []
    for path in sorted(data("agents/support_dialogue/taskmaster4/data").glob("*.json.gz")):
        dialogues += json.loads(_text(path))
    said = [
        {who: " ".join(" ".join(each["text"].split()) for each in one["utterances"] if each["speaker"] == who)
         for who in ("user", "assistant")}
        for one in dialogues
    ]  # fmt: skip
    numbers = clusters([each["user"] for each in said], [""] * len(said), 0.7)
    draw = random.Random(8)
    for each, number in zip(said, numbers, strict=True):
        where = side(f"order {said[number]['user']}")
        for who, subject, to in (("user", "My order", "coffee bar"), ("assistant", "Re: My order", "customer")):
            if len(each[who].split()) >= 6:
                yield where, framed(draw, "taskmaster4", draw.choice((subject, subject, "")), to, each[who])


def written(paths: Iterable[Path]) -> Iterator[tuple[str, Row]]:
    """(side, mail) of those that a model wrote; all of one theme are on one side."""
    draw = random.Random(9)
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield (
                side(f"written {row['theme']}"),
                framed(draw, "written", row["subject"], row["to"], row["text"], frame=False),
            )


def general() -> Iterator[tuple[str, str]]:
    """(source, text) of general English."""
    tests = set()
    for path in data("sequence/tatoeba/laser_test").glob("*.eng"):
        tests |= set(path.read_text(encoding="utf-8").splitlines())
    sentences = set()
    for path in sorted(data("sequence/tatoeba").glob("*-eng.zip")):
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                if "about" not in name and name.endswith(".txt") and not name.startswith("__"):
                    for line in packed.read(name).decode().splitlines():
                        sentences.add(line.split("\t")[0].strip())
    # Half of the people in it are called Tom or Mary: a mail would be completed with their names.
    ordered = sorted(each for each in sentences - tests - {""} if not re.search(r"\b(?:Tom|Mary|John)\b", each))
    random.Random(1).shuffle(ordered)
    for start in range(0, len(ordered), 6):
        # Sentences alone: several make one text.
        yield "tatoeba", " ".join(ordered[start : start + 6])
    seen: set[str] = set()
    for path in sorted(data("qa/grounded/ares_synthetic").glob("*.zip")):
        with zipfile.ZipFile(path) as packed:
            name = next(each for each in packed.namelist() if not each.startswith("__"))
            for row in csv.DictReader(io.TextIOWrapper(packed.open(name), "utf-8"), delimiter="\t"):
                text = " ".join((row["document"] or "").split())
                if text and text[:200] not in seen:
                    seen.add(text[:200])
                    yield "ares", text
    for path in sorted(data("sft/t0_permissive/templates").glob("*.jsonl*")):
        for line in _text(path).splitlines():
            for part in json.loads(line)["prompt"].split("\n"):
                text = " ".join(part.split())
                if len(text.split()) > 30 and text[:200] not in seen:
                    seen.add(text[:200])
                    yield "t0", text
    folder = data("agents/support_dialogue/clinc150")
    found = json.loads(_text(folder / "data_full.json.gz"))
    asked = [text for part in ("train", "val") for text, _ in found[part]]
    random.Random(2).shuffle(asked)
    for start in range(0, len(asked), 6):
        yield "clinc150", " ".join(f"{each[:1].upper()}{each[1:]}." for each in asked[start : start + 6])


def build(folder: Path, mails: Sequence[Path]) -> Mapping[str, Any]:
    """Write the three sides; returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    sides: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    for source in (banking(), orders(), written(mails)):
        for where, row in source:
            sides[where].append(row)
    kept_out = {" ".join(row["text"][row["from"] : row["until"]].split()) for row in sides["test"]}
    general_rows = [{"source": source, "text": text} for source, text in general() if text not in kept_out]
    random.Random(3).shuffle(general_rows)
    sides["train"] += general_rows[200:]
    sides["validation"] += general_rows[:200]
    manifest: dict[str, Any] = {"sides": {}}
    for name, rows in sides.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        counted: dict[str, dict[str, int]] = defaultdict(lambda: {"rows": 0, "words": 0})
        for row in rows:
            counted[row["source"]]["rows"] += 1
            counted[row["source"]]["words"] += len(row["text"].split())
        manifest["sides"][name] = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "sources": dict(counted)}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    return manifest


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mails", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    print(json.dumps(build(given.folder, given.mails), indent=1))
