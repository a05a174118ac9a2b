"""How long a short text takes through the gateway, and what of it is the translator.

    python benchmarks/translate_latency.py --folder DIR [--texts N]

``--folder`` has a translator. Each text is new: nothing is remembered. The translator alone, in this process, is asked
for the same texts in turn. The guide's limit for short text is a P95 of 500 ms.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

from _report import Figure, report
from _server import UNLIMITED, serving
from mainspring.features.translate.engine.translator import Translator

NAMES = ("train", "house", "letter", "garden", "teacher", "window", "doctor", "river", "bridge", "kitchen")
FORMS = (
    "Where is the {0} of the {1}?", "I saw a {0} near the {1} yesterday.", "Please bring the {0} to my {1}.",
    "She likes the old {0} more than the {1}.", "There are 3 ways from the {0} to the {1}.",
)  # fmt: skip
DRAWS = 1_000


def texts(count: int) -> list[str]:
    """Different ones, of five to ten words."""
    made = [form.format(one, other) for form in FORMS for one in NAMES for other in NAMES if one != other]
    drawn = np.random.default_rng(3).permutation(len(made))[:count]
    return [made[each] for each in drawn]


def p95(seconds: list[float]) -> tuple[float, float, float]:
    """In milliseconds, with its interval of 95 % by a bootstrap."""
    own = np.array(seconds) * 1e3
    drawn = np.random.default_rng(4).choice(own, size=(DRAWS, len(own)))
    low, high = np.quantile(np.quantile(drawn, 0.95, axis=1), (0.025, 0.975))
    return float(np.quantile(own, 0.95)), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="a translator's folder")
    parser.add_argument("--texts", type=int, default=200, help="texts, each asked for once")
    options = parser.parse_args()
    asked = texts(options.texts)
    through: list[float] = []
    alone: list[float] = []
    translator = Translator(options.folder)
    settings = {**UNLIMITED, "MAINSPRING_TRANSLATE__FOLDER": str(options.folder.resolve())}
    with (
        tempfile.TemporaryDirectory(prefix="mainspring-") as home,
        serving(Path(home), settings=settings, patience_s=600) as server,
    ):

        def ask(text: str) -> None:
            request = urllib.request.Request(
                f"{server.url}/v1/translate",
                json.dumps({"text": text, "target": "fr"}).encode(),
                {"authorization": f"Bearer {server.key}", "content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                found = json.loads(answer.read())
            assert found["source"] == "en", found
            assert found["sentences"]["remembered"] == 0, found

        for text in ("Good morning to the first reader.", "Good evening to the second reader."):
            ask(text)
        for text in asked:
            began = time.perf_counter()
            ask(text)
            through.append(time.perf_counter() - began)
            began = time.perf_counter()
            translator.translated([text], "en", "fr")
            alone.append(time.perf_counter() - began)
    whole, low, high = p95(through)
    part, part_low, part_high = p95(alone)
    n = f"{len(asked)} new texts, one after the other"
    report(
        "translate_latency",
        {
            "P95 through the gateway": Figure(
                round(whole, 1), "ms", "lower", 500.0, 300.0, f"{n}; [{low:.1f}, {high:.1f}]"
            ),
            "median through the gateway": Figure(round(float(np.median(through)) * 1e3, 1), "ms", "lower", against=n),
            "P95 of the translator alone": Figure(
                round(part, 1), "ms", "lower", against=f"the same texts in turn; [{part_low:.1f}, {part_high:.1f}]"
            ),
        },
    )


if __name__ == "__main__":
    main()
