"""An engine's child that answers at once, so that only the path is timed.

As a module (``python -m _instant``) it is the child: it speaks the protocol of ``mainspring.engines.openvino.child``
and says one word a step to every request; a step lasts ``STEP_S``. As a script (``python _instant.py -m mainspring
...``) it is the ``mainspring`` command whose default engine has this child.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

import mainspring.engines.openvino.engine as engine
from mainspring.engines.process.protocol import Channel, Message, run_child

WORDS = (
    " river stone copper engine garden winter letter market signal bridge forest kettle paper harbour ladder".split()
)
PROMPT_TOKENS = 100


def install() -> None:
    """Give every ``OpenVinoEngine`` made from here on this child."""
    folder = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
    engine.CHILD = "_instant"


def serve(channel: Channel, configuration: Message) -> None:  # noqa: ARG001
    """Greet, then answer: at once with the first word, then a word a step."""
    step_s = float(os.environ.get("STEP_S", "0"))
    channel.send({"ready": {"pid": os.getpid()}})
    left: dict[int, int] = {}
    spoken: dict[int, int] = {}
    while True:
        for message in channel.receive(wait=not left):
            if message["op"] == "add":
                left[message["id"]] = spoken[message["id"]] = message["sampling"]["max_tokens"]
            elif message["op"] == "cancel":
                left.pop(message["id"], None)
            else:
                channel.send({"c": [[message["id"], PROMPT_TOKENS]]})
        if left:
            channel.send(_step(left, spoken))
            time.sleep(step_s)


def _step(left: dict[int, int], spoken: dict[int, int]) -> Message:
    texts: list[list[Any]] = []
    ends: list[list[Any]] = []
    for number in list(left):
        texts.append([number, 0, f" {WORDS[left[number] % len(WORDS)]}", 1, None])
        left[number] -= 1
        if not left[number]:
            del left[number]
            ends.append([number, PROMPT_TOKENS, spoken.pop(number), ["length"]])
    return {"t": texts, "e": ends, "g": [len(left), 0, 0.1, 0]} if ends else {"t": texts, "g": [len(left), 0, 0.1, 0]}


if __name__ == "__main__":
    if "--fd" in sys.argv:
        run_child(serve)
    else:
        install()
        sys.argv = ["mainspring", *sys.argv[3:]]
        runpy.run_module("mainspring", run_name="__main__", alter_sys=True)
