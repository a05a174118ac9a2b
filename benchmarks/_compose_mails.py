"""Mails that the 1.5B of the catalogue writes about the sample shop: Smart Compose learns from them (distillation of
sequences).

    python benchmarks/_compose_mails.py FILE [--seconds 500] [--most 3000]

Each line is a mail with its theme, prompt and seed. What is there is not written again: the command may be ended at
any time and goes on from there.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import random
import re
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import openvino_genai as runtime

from mainspring.core.settings import load
from mainspring.engines.catalogue.pull import Puller

MODEL = "qwen2.5-coder-1.5b-instruct"

AT_ONCE, BLOCKS, TOKENS = 16, 768, 150
ABOUT = (
    ("customer", "support", "ask where the order with the {} is"),
    ("customer", "support", "say that the {} arrived damaged and ask for a replacement"),
    ("customer", "support", "ask how to return the {} and when the refund comes"),
    ("customer", "support", "ask whether the {} is in stock and can be delivered this week"),
    ("customer", "support", "cancel the order of the {}"),
    ("customer", "support", "ask to have the {} sent to another address"),
    ("customer", "support", "ask for an invoice for the {}"),
    ("customer", "support", "complain that the {} does not work and ask about the guarantee"),
    ("support", "customer", "say that the {} was sent today and will arrive in three days"),
    ("support", "customer", "apologise that the {} is late and say what happens next"),
    ("support", "customer", "confirm the refund for the {}"),
    ("support", "customer", "ask for a photo of the damaged {}"),
    ("support", "customer", "say that the {} is out of stock and offer another one"),
    ("support", "customer", "explain how to send the {} back"),
    ("colleague", "team", "ask a colleague to check the stock of the {}"),
    ("colleague", "team", "arrange a meeting about the new {} next week"),
    ("colleague", "team", "send the sales figures of the {} and ask for comments"),
    ("colleague", "supplier", "order more of the {} and ask for a delivery date"),
)
STYLES = ("short and friendly", "formal", "in plain words", "polite and detailed")


def prompts() -> Iterator[tuple[str, str, str]]:
    """(theme, to, prompt), mixed. All mails about one article have one theme, so that a split keeps them together."""
    lines = files("mainspring.features.support.sample").joinpath("products.csv").read_text(encoding="utf-8")
    articles = sorted({each["name"].split(",")[0] for each in csv.DictReader(lines.splitlines())})
    found = []
    for article, (who, to, wish), style in itertools.product(articles, ABOUT, STYLES):
        text = (
            f"Write an e-mail of three to five sentences, {style}. You are a {who} of an outdoor and coffee shop and "
            f"{wish.format(article)}. Begin with a line 'Subject:'. Use no placeholders in brackets and no names of "
            "people."
        )
        found.append((article, to, text))
    random.Random(11).shuffle(found)
    yield from found


def mail(text: str) -> tuple[str, str] | None:
    """(subject, body); None: it is none, or has blanks to be filled in."""
    match = re.match(r"\W*Subject:\**\s*(.+?)\**\n+(.*)", text.strip(), re.DOTALL)
    if match is None or re.search(r"\[[^\]]*\]|\{|```|<[a-z]", match[2]):
        # The signature is often a blank: what is above it is used.
        cut = None if match is None else re.split(r"\n[^\n]*\[", match[2])[0].rstrip()
        if match is None or cut is None or "[" in cut or len(cut.split()) < 25:
            return None
        return match[1].strip(), cut
    return match[1].strip(), match[2].strip()


def main(asked: argparse.Namespace) -> None:
    done = set()
    if asked.file.exists():
        done = {json.loads(line)["number"] for line in asked.file.read_text(encoding="utf-8").splitlines()}
    scheduler = runtime.SchedulerConfig()
    scheduler.cache_size, scheduler.num_kv_blocks, scheduler.enable_prefix_caching = 0, BLOCKS, False
    settings = load().settings
    pulled = Puller(settings).local(MODEL).files["ir"]
    properties = {"INFERENCE_PRECISION_HINT": settings.engines.precision}
    pipeline = runtime.ContinuousBatchingPipeline(str(pulled), scheduler, "CPU", properties)
    until = time.monotonic() + asked.seconds
    waiting = [(n, each) for n, each in enumerate(prompts()) if n not in done][: max(0, asked.most - len(done))]
    running: dict[int, tuple[Any, str, str, str]] = {}
    with asked.file.open("a", encoding="utf-8") as out:
        while (waiting and time.monotonic() < until) or running:
            while waiting and len(running) < AT_ONCE and time.monotonic() < until:
                number, (theme, to, prompt) = waiting.pop(0)
                config = runtime.GenerationConfig()
                config.max_new_tokens, config.do_sample, config.temperature, config.top_p = TOKENS, True, 0.9, 0.95
                config.rng_seed = number
                chat = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
                config.apply_chat_template = False
                running[number] = (pipeline.add_request(number, chat, config), theme, to, prompt)
            pipeline.step()
            for number, (handle, theme, to, prompt) in list(running.items()):
                if str(handle.get_status()).endswith("FINISHED"):
                    written = pipeline.get_tokenizer().decode(handle.read_all()[0].generated_ids)
                    found = mail(written)
                    row = {"number": number, "theme": theme, "to": to, "model": MODEL, "seed": number, "prompt": prompt}
                    subject, body = found or ("", "")
                    out.write(json.dumps({**row, "subject": subject, "text": body}, ensure_ascii=False) + "\n")
                    out.flush()
                    del running[number]
            if time.monotonic() > until + 60:
                break
    print(f"{len(done)} mails were there; the file is {asked.file}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Mails by the default model")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=500.0)
    parser.add_argument("--most", type=int, default=3000)
    main(parser.parse_args())
