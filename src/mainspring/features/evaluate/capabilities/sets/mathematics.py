"""Mathematics in words: GSM8K, MATH and AIME.

All are asked without examples and with a fixed form of the answer, as inspect_evals asks them; lm-evaluation-harness
shows examples (five for GSM8K, four for MATH) and continues them.
"""

from __future__ import annotations

import re

from mainspring.core.types import Message
from mainspring.features.evaluate.capabilities import extract
from mainspring.features.evaluate.capabilities.benchmark import Benchmark, Item, Marks, Metric, Reply
from mainspring.features.evaluate.capabilities.expressions import same
from mainspring.features.evaluate.capabilities.files import FILE, Row, each

_NUMBER = "the number behind the last `answer is`, in the last box, else the last number"
_BOX = r"the last `\boxed{}`, else what is behind the last `answer is`"
_STEPS = (
    "Solve the problem step by step. End with one line of the form `The answer is N.`, in which N is the number alone."
)
_IN_BOX = r"Solve the problem step by step. Put the final answer into \boxed{}."


def _gsm8k(row: Row, number: int) -> Item:
    question, (_, mark, answer) = str(row["question"]), str(row["answer"]).rpartition("####")
    if not mark:
        raise ValueError("the answer does not end with `#### NUMBER`")
    return Item(
        str(number),
        (Message("user", f"{_STEPS}\n\n{question.strip()}"),),
        references=(extract.plain_number(answer),),
    )


def _same_number(item: Item, reply: Reply) -> Marks:
    read = extract.number(reply.text)
    return Marks({"accuracy": float(read in item.references)}, read)


def _math(row: Row, number: int) -> Item:
    answer = row.get("answer") or extract.boxed(str(row["solution"]))
    if not answer:
        raise ValueError("the solution has no box")
    level = str(row.get("level") or "")
    return Item(
        str(row.get("unique_id", number)),
        (Message("user", f"{_IN_BOX}\n\n{str(row['problem']).strip()}"),),
        references=(str(answer),),
        tags={
            name: value
            for name, value in (("subject", str(row.get("subject") or row.get("type") or "")), ("level", level))
            if value
        },
    )


def _aime(row: Row, number: int) -> Item:
    plain = {name.lower(): value for name, value in row.items()}
    problem = plain.get("problem") or plain["question"]
    name = str(plain.get("id") or plain.get("problem_idx") or number)
    exam = re.sub(r"[-_/]\d{1,2}$", "", name) if "id" in plain else str(row[FILE])
    return Item(
        name,
        (Message("user", f"{_IN_BOX} It is an integer from 0 to 999.\n\n{str(problem).strip()}"),),
        references=(extract.plain_number(str(plain["answer"])),),
        cluster=exam,
    )


def _boxed(item: Item, reply: Reply) -> Marks:
    read = extract.final(reply.text)
    return Marks({"accuracy": float(read is not None and any(same(read, each) for each in item.references))}, read)


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
MATH = Benchmark(
    "math",
    "Problems of competitions, whose answers are expressions; also MATH-500",
    "mathematics",
    each(_math),
    _boxed,
    (Metric("accuracy", "share of equivalent answers"),),
    source="github.com/hendrycks/math (a folder of JSON), or HuggingFaceH4/MATH-500 as JSON lines",
    licence="MIT",
    tokens=1_024,
    extraction=_BOX,
)
AIME = Benchmark(
    "aime",
    "The American Invitational Mathematics Examination, answers from 0 to 999",
    "mathematics",
    each(_aime),
    _boxed,
    (Metric("accuracy", "share of right numbers"),),
    source="HuggingFaceH4/aime_2024, math-ai/aime25 or gneubig/aime-1983-2024 as Parquet, JSON lines or CSV",
    licence="see the publisher; the problems are the Mathematical Association of America's",
    tokens=4_096,
    cluster="examination",
    extraction=_BOX,
)
BENCHMARKS = (GSM8K, MATH, AIME)
