"""Programs that have to pass tests: HumanEval, MBPP, and filling in the middle.

In a chat a model writes the whole function; as a completion it goes on with the prompt, as the sets were made for.
"""

from __future__ import annotations

import re

from mainspring.core.types import Message
from mainspring.features.evaluate.capabilities.benchmark import Benchmark, Item, Judging, Marks, Metric, Reply
from mainspring.features.evaluate.capabilities.files import Row, each

STOPS = ("\nclass ", "\ndef ", "\n#", "\nif __name__", "\nprint(", "\n```", "\nassert ")
_FENCE = re.compile(r"```(?:python|py|Python|python3)?[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
_PASSED = (Metric("pass@1", "share of programs that pass all tests, drawn once"),)
_EXTRACTION = "all fenced blocks of Python, else the whole text"


def source(text: str) -> str:
    """The program of an answer: its fenced blocks one after the other, else all of it."""
    blocks = _FENCE.findall(text)
    return "\n\n".join(blocks) if blocks else text


def _humaneval(row: Row, number: int) -> Item:
    prompt, entry = str(row["prompt"]), str(row["entry_point"])
    asked = (
        f"Complete this Python function. Answer with the whole function in one block of code.\n\n```python\n{prompt}```"
    )
    return Item(
        str(row.get("task_id", number)),
        (Message("user", asked),),
        prompt,
        extra={"entry": entry, "test": f"{row['test']}\n\ncheck({entry})\n", "head": prompt},
    )


def _mbpp(row: Row, _: int) -> Item | None:
    name = int(row["task_id"])
    if not 11 <= name <= 510:
        # The others are for examples and for training.
        return None
    tests = "\n".join(row["test_list"])
    text = str(row.get("prompt") or row["text"])
    setup = "\n".join([*(row.get("test_imports") or ()), str(row.get("test_setup_code") or "")])
    asked = (
        f"{text}\nThe function has to pass these tests:\n\n```python\n{tests}\n```\n\n"
        "Answer with one block of Python code."
    )
    return Item(
        f"mbpp/{name}",
        (Message("user", asked),),
        f'"""\n{text}\n{tests}\n"""\n',
        extra={"test": f"{setup}\n{tests}\n", "head": ""},
    )


def _infilling(row: Row, number: int) -> Item:
    name, entry = str(row.get("task_id", number)), str(row["entry_point"])
    return Item(
        name,
        prompt=str(row["prompt"]),
        # The lines of one function are one problem.
        cluster=name.rsplit("/", 1)[0],
        extra={"suffix": str(row["suffix"]), "test": f"{row['test']}\n\ncheck({entry})\n"},
    )


async def _passes(item: Item, reply: Reply, judging: Judging) -> Marks:
    code = source(reply.text)
    if item.extra.get("suffix") is not None:
        program = f"{item.prompt}{reply.text}{item.extra['suffix']}\n{item.extra['test']}"
    elif entry := item.extra.get("entry"):
        head = item.extra["head"]
        # A whole function stands behind the prompt, whose imports and helpers it may use; a body goes on with it.
        whole = re.search(rf"^[^\S\n]*+(?:async\s+)?def\s+{re.escape(entry)}\b", code, re.MULTILINE)
        program = (
            f"{head}    pass\n\n\n{code}\n\n{item.extra['test']}" if whole else f"{head}{code}\n\n{item.extra['test']}"
        )
    else:
        program = f"{code}\n\n{item.extra['test']}"
    return Marks({"pass@1": float(await judging.passes(program))}, code)


HUMANEVAL = Benchmark(
    "humaneval",
    "164 Python functions to be completed",
    "code",
    each(_humaneval),
    None,
    _PASSED,
    source="github.com/openai/human-eval: data/HumanEval.jsonl.gz",
    licence="MIT",
    judge=_passes,
    ways=("text", "completion"),
    tokens=512,
    stop=STOPS,
    extraction=_EXTRACTION,
)
MBPP = Benchmark(
    "mbpp",
    "Python functions from a sentence and tests (problems 11 to 510)",
    "code",
    each(_mbpp),
    None,
    _PASSED,
    source="github.com/google-research/google-research: mbpp/sanitized-mbpp.json or mbpp/mbpp.jsonl",
    licence="CC-BY-4.0",
    judge=_passes,
    ways=("text", "completion"),
    tokens=512,
    stop=('\n"""', "\nassert ", "\nprint(", "\n```"),
    extraction=_EXTRACTION,
)
INFILLING = Benchmark(
    "humaneval-infilling",
    "A missing line of a HumanEval solution",
    "code",
    each(_infilling),
    None,
    _PASSED,
    source="github.com/openai/human-eval-infilling: data/HumanEval-SingleLineInfilling.jsonl.gz",
    licence="MIT",
    judge=_passes,
    ways=("completion",),
    tokens=64,
    stop=("\n",),
    cluster="function",
)
BENCHMARKS = (HUMANEVAL, MBPP, INFILLING)
