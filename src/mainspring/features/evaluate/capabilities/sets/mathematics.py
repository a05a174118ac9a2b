"""Mathematics in words: GSM8K."""

from __future__ import annotations

from mainspring.core.types import Message
from mainspring.features.evaluate.capabilities import extract
from mainspring.features.evaluate.capabilities.benchmark import Benchmark, Item, Marks, Metric, Reply
from mainspring.features.evaluate.capabilities.files import Row, each

_NUMBER = "the number behind the last `answer is`, in the last box, else the last number"
_ASKED = (
    "Solve the problem step by step. End with one line of the form `The answer is N.`, in which N is the number alone."
)


def _gsm8k(row: Row, number: int) -> Item:
    question, (_, mark, answer) = str(row["question"]), str(row["answer"]).rpartition("####")
    if not mark:
        raise ValueError("the answer does not end with `#### NUMBER`")
    return Item(
        str(number),
        (Message("user", f"{_ASKED}\n\n{question.strip()}"),),
        references=(extract.plain_number(answer),),
    )


def _same_number(item: Item, reply: Reply) -> Marks:
    read = extract.number(reply.text)
    return Marks({"accuracy": float(read in item.references)}, read)


GSM8K = Benchmark(
    "gsm8k",
    "Grade-school word problems (1,319 in test.jsonl)",
    "mathematics",
    each(_gsm8k),
    _same_number,
    (Metric("accuracy", "share of right numbers"),),
    source="github.com/openai/grade-school-math: grade_school_math/data/test.jsonl",
    licence="MIT",
    tokens=400,
    extraction=_NUMBER,
)
BENCHMARKS = (GSM8K,)
