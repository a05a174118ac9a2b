"""How much sooner the first token comes when a prompt begins like an earlier one.

    python benchmarks/prefix_ttft.py [--pairs 9] [--tokens 1800]

Two servers that differ in ``engines.prefix_cache`` get the same requests in turns: a system prompt of about
``--tokens`` tokens that all share, and a question of its own each. What is compared, pair by pair, is the time from
sending the request to the first text, over HTTP. Both servers have seen the system prompt once before; a system prompt
that nobody has sent yet is measured beside, where the cache can do nothing.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from _report import Figure, report
from _server import UNLIMITED, Server, serving
from _stats import Spread, alternate, ratios
from path_overhead import WORDS

MODEL = "smollm2-135m-instruct"
PATIENCE_S = 120.0
# Of these words of the vocabulary each is about one token.
_QUESTION = "Which of these words is about {} and {}?"


class Client:
    """One connection to a server."""

    def __init__(self, server: Server) -> None:
        parts = urlsplit(server.url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE_S)
        self._key = server.key

    def first_text(self, system: str, question: str) -> float:
        """Seconds to the first text. Raises ``RuntimeError`` when there is none."""
        body = {
            "model": MODEL,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": question}],
            "max_tokens": 4,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "options": {"cache": False},
        }
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        began = time.perf_counter()
        self._connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = self._connection.getresponse()
        first = 0.0
        for line in response:
            if not first and b'"content":"' in line and b'"content":""' not in line:
                first = time.perf_counter() - began
        if response.status != 200 or not first:
            raise RuntimeError(f"status {response.status}, no text")
        return first


def words(seed: str, count: int) -> str:
    """``count`` words, the same for the same ``seed``."""
    chosen = random.Random(seed)
    return " ".join(chosen.choice(WORDS) for _ in range(count))


def main(pairs: int, tokens: int) -> None:
    settings = {**UNLIMITED, "MAINSPRING_ENGINES__PREFIX_CACHE": "false"}
    with ExitStack() as stack:
        homes = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        with_cache = Client(stack.enter_context(serving(homes[0], settings=UNLIMITED)))
        without = Client(stack.enter_context(serving(homes[1], settings=settings)))
        shared = words("shared", tokens)
        for client in (with_cache, without):
            client.first_text(shared, "Are you there?")

        def ask(client: Client, system: str, number: int) -> float:
            return client.first_text(system, _QUESTION.format(WORDS[number], WORDS[-number - 1]))

        ours, theirs = alternate(lambda n: ask(with_cache, shared, n), lambda n: ask(without, shared, n), pairs)
        fresh_on, fresh_off = alternate(
            lambda n: ask(with_cache, words(f"fresh {n}", tokens), n),
            lambda n: ask(without, words(f"fresh {n}", tokens), n),
            max(3, pairs // 3),
        )
    sooner, fresh = ratios(theirs, ours), ratios(fresh_off, fresh_on)
    report(
        "prefix_ttft",
        {
            "shared prefix: first token sooner": Figure(
                sooner.median,
                "x",
                "higher",
                floor=5,
                aim=20,
                against=f"prefix cache off; {pairs} pairs, {sooner.text(1)}",
            ),
            "shared prefix: first token with the cache": Figure(
                1000 * Spread.of(ours).median, "ms", "lower", against=f"about {tokens:,} tokens before the question"
            ),
            "shared prefix: first token without": Figure(1000 * Spread.of(theirs).median, "ms", "lower"),
            "prefix never seen: first token sooner": Figure(
                fresh.median, "x", "higher", against=f"prefix cache off; {fresh.text(2)}"
            ),
        },
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=1800)
    arguments = parser.parse_args()
    main(arguments.pairs, arguments.tokens)
