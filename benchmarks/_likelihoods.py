"""The likelihood of QAGS' summaries under the default model, with the article and without it, kept as lines of JSON.

    MAINSPRING_DATA=... python benchmarks/_likelihoods.py KEEP [--minutes 5]

A summary that says what its article says is likely after it (as in GPTScore, Fu et al. 2023). The article is cut to the
eight sentences that share most content words with the summary.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import openvino_genai as runtime

import _judged_sets as sets
from _engine import IR, MODEL, PROPERTIES
from _library import data
from mainspring.rag.text import sentences, terms

SENTENCES, CHARACTERS, BLOCKS = 8, 1_600, 64


def file_of(keep: Path) -> Path:
    """Where they are kept."""
    return keep / "likelihood.qags.jsonl"


def kept(keep: Path) -> set[str]:
    """The summaries that have been read."""
    path = file_of(keep)
    return {json.loads(line)["id"] for line in path.read_text().splitlines()} if path.exists() else set()


def context(article: str, summary: str) -> str:
    """The sentences of the article that are nearest to the summary, in their order."""
    said = terms.content(summary)
    parts = [article[each.start : each.end] for each in sentences.split(article)] or [article]
    near = sorted(range(len(parts)), key=lambda place: -len(terms.content(parts[place]) & said))[:SENTENCES]
    return " ".join(parts[place] for place in sorted(near))[:CHARACTERS]


class Reading:
    """Reads texts with the model."""

    def __init__(self) -> None:
        scheduler = runtime.SchedulerConfig()
        scheduler.cache_size = 0
        scheduler.num_kv_blocks = BLOCKS
        scheduler.enable_prefix_caching = False
        self._pipeline = runtime.ContinuousBatchingPipeline(str(IR), scheduler, "CPU", dict(PROPERTIES))
        self._tokenizer = self._pipeline.get_tokenizer()
        self._number = 0

    def __call__(self, before: str, text: str) -> list[float]:
        """The natural-log probabilities of the tokens of ``text`` after ``before``."""
        config = runtime.GenerationConfig()
        config.max_new_tokens, config.logprobs = 1, 1
        config.echo, config.ignore_eos, config.apply_chat_template = True, True, False
        self._number += 1
        handle = self._pipeline.add_request(self._number, before + text, config)
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
        read = handle.read_all()[0]
        first = self._tokenizer.encode(before).input_ids.shape[1]
        return [float(each) for each in read.generated_log_probs[first : len(read.generated_ids) - 1]]


def main(arguments: argparse.Namespace) -> None:
    done, until, read = kept(arguments.keep), time.monotonic() + 60 * arguments.minutes, Reading()
    with file_of(arguments.keep).open("a") as out:
        for each in sets.drawn("qags", data("").resolve()):
            if each.id in done or time.monotonic() > until:
                continue
            summary, (article,) = f" {each.item.answer}", each.item.passages
            given = read(f"Article: {context(article, summary)}\n\nSummary:", summary)
            out.write(json.dumps({"id": each.id, "cond": given, "free": read("Summary:", summary)}) + "\n")
    print(f"{MODEL}: {len(kept(arguments.keep))} summaries")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Likelihoods of summaries")
    parser.add_argument("keep", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    main(parser.parse_args())
