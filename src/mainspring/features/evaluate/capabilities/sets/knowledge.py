"""Knowledge and common sense as multiple choice: MMLU and its kin, HellaSwag.

The raw prompts are those of lm-evaluation-harness without examples. MMLU-Pro is there asked with five worked examples
and a chain of thought; here it is a letter at once, so figures are lower than published ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainspring.features.evaluate.capabilities.benchmark import LETTERS, Benchmark, Item, Metric
from mainspring.features.evaluate.capabilities.files import FILE, Row, each
from mainspring.features.evaluate.capabilities.sets import choosing

# A bracket that its line does not close stays, with the rest of the line.
_BRACKETS = re.compile(r"\[(?:[^\]\n]*+\]|(?P<open>[^\]\n]*+))")
_ACCURACY = Metric("accuracy", "share of right options")


def _item(number: int | str, question: str, options: Sequence[str], right: int, subject: str, **tags: str) -> Item:
    if not 0 <= right < len(options) <= len(LETTERS):
        raise ValueError("the right answer is none of the options")
    plain = subject.replace("_", " ")
    lead = f"The following are multiple choice questions (with answers) about {plain}.\n\n" if plain else ""
    return Item(
        str(number),
        choosing.put(question.strip(), options),
        lead + choosing.raw(question.strip(), options),
        tuple(options),
        choosing.letters(options),
        (right,),
        cluster=subject,
        tags={"subject": subject, **tags} if subject else tags,
    )


def _place(answer: object, options: int) -> int:
    """The number of an answer that is a number or a letter."""
    text = str(answer).strip()
    return int(text) if text.isdigit() and int(text) < options else LETTERS.index(text.upper())


def _mmlu(row: Row, number: int) -> Item:
    if "choices" in row:
        options = [str(option) for option in row["choices"]]
        return _item(
            number, str(row["question"]), options, _place(row["answer"], len(options)), str(row.get("subject") or "")
        )
    # The original files have no header; the subject is in the file's name.
    subject = re.sub(r"_(test|val|dev)$", "", str(row[FILE]))
    options = [str(row[name]) for name in "ABCD"]
    return _item(number, str(row["question"]), options, _place(row["answer"], 4), subject)


def _mmlu_pro(row: Row, number: int) -> Item:
    options = [str(option) for option in row["options"] if str(option) != "N/A"]
    return _item(
        row.get("question_id", number), str(row["question"]), options, int(row["answer_index"]), row["category"]
    )


def _multilingual(row: Row, number: int) -> Item:
    if "option_a" in row:
        options = [str(row[f"option_{letter}"]) for letter in "abcd"]
        name, language = row.get("sample_id", number), str(row.get("language") or row[FILE])
        subject, question, answer = row["subject"], row["question"], row["answer"]
    else:
        options = [str(row[letter]) for letter in "ABCD"]
        name, language = number, re.sub(r"^mmlu_", "", str(row[FILE]))
        subject, question, answer = row["Subject"], row["Question"], row["Answer"]
    # A question is one in all of its languages.
    item = _item(f"{language}/{name}", str(question), options, _place(answer, 4), str(subject), language=language)
    return Item(
        item.id,
        item.messages,
        choosing.raw(str(question).strip(), options),
        item.options,
        item.continuations,
        item.right,
        cluster=item.cluster,
        tags=item.tags,
    )


def _hellaswag(row: Row, number: int) -> Item | None:
    if row["label"] in ("", None):
        # The test part has no labels.
        return None
    context = f"{row['ctx_a']} {str(row['ctx_b']).capitalize()}" if row.get("ctx_b") is not None else str(row["ctx"])
    lead = _plain(f"{row['activity_label']}: {context}")
    endings = [_plain(str(ending)) for ending in row["endings"]]
    right = int(row["label"])
    if not 0 <= right < len(endings):
        raise ValueError("the label is none of the endings")
    return Item(
        str(row.get("ind", number)),
        choosing.put(f"Which ending continues this text best?\n\n{lead}", endings),
        lead,
        tuple(endings),
        tuple(f" {ending}" for ending in endings),
        (right,),
        cluster=str(row.get("source_id") or ""),
        tags={"part": str(row["split_type"])} if row.get("split_type") else {},
    )


def _plain(text: str) -> str:
    """Without the marks that WikiHow's part has in brackets."""
    text = _BRACKETS.sub(
        lambda found: "" if found["open"] is None else found[0], text.strip().replace(" [title]", ". ")
    )
    return text.replace("  ", " ").strip()


MMLU = Benchmark(
    "mmlu",
    "Questions of 57 subjects, four options",
    "knowledge",
    each(_mmlu, ("question", "A", "B", "C", "D", "answer")),
    choosing.accuracy,
    (_ACCURACY,),
    source="people.eecs.berkeley.edu/~hendrycks/data.tar (test/*.csv), or cais/mmlu as Parquet; a file or the folder",
    licence="MIT",
    ways=choosing.WAYS,
    tokens=32,
    cluster="subject",
    extraction=choosing.EXTRACTION,
)
MMLU_PRO = Benchmark(
    "mmlu-pro",
    "Harder questions of 14 subjects, up to ten options",
    "knowledge",
    each(_mmlu_pro),
    choosing.accuracy,
    (_ACCURACY,),
    source="TIGER-Lab/MMLU-Pro as Parquet or JSON lines",
    licence="MIT",
    ways=choosing.WAYS,
    tokens=32,
    cluster="category",
    extraction=choosing.EXTRACTION,
)
MULTILINGUAL = Benchmark(
    "mmlu-multilingual",
    "MMLU in other languages: Global-MMLU and MMMLU",
    "multilingual",
    each(_multilingual),
    choosing.accuracy,
    (_ACCURACY,),
    source="CohereLabs/Global-MMLU as Parquet, or openai/MMMLU as CSV; a file or a folder of languages",
    licence="Apache-2.0; MIT",
    ways=choosing.WAYS,
    tokens=32,
    cluster="subject",
    extraction=choosing.EXTRACTION,
)
HELLASWAG = Benchmark(
    "hellaswag",
    "Which ending continues a text",
    "reasoning",
    each(_hellaswag),
    choosing.accuracy,
    (
        Metric("accuracy_norm", "share of right endings, by likelihood per byte"),
        Metric("accuracy", "share of right endings"),
    ),
    source="github.com/rowanz/hellaswag: data/hellaswag_val.jsonl",
    licence="MIT",
    ways=choosing.WAYS,
    tokens=32,
    cluster="source (a video or an article)",
    extraction=choosing.EXTRACTION,
)
BENCHMARKS = (MMLU, MMLU_PRO, MULTILINGUAL, HELLASWAG)
