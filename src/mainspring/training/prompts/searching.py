"""The recipe ``prompt``: looks for instructions under which an application's answers score better.

GEPA (https://arxiv.org/abs/2507.19457, over the package ``gepa``) tries a prompt on a few rows of ``train``, has a
model reflect on the answers and write another one, and keeps what is better on ``validation`` for some row. The best
one is compared with the one that it began with on ``test``, of which the search sees nothing. All answers are the
served application's: the run asks for them (``training.asking``), and what was tried is a checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

from mainspring.core.errors import NothingLearned
from mainspring.evaluation.examples import Example
from mainspring.statistics.significance import interval
from mainspring.training.asking import AskedQuestion, Reply, RunSocket
from mainspring.training.chat.rows import conversation, example
from mainspring.training.chat.scoring import Scoring
from mainspring.training.ports import MOST_SOURCES
from mainspring.training.prompts.options import SearchedPromptOptions
from mainspring.training.recipe import Interrupted, Made, Side, Work

_LEAST = 4
_READ: tuple[Side, ...] = ("train", "validation")
"""Sides that the model which reflects reads."""
_SHOWN = 2_000
_REFLECTION_TOKENS = 1_024
Parts = dict[str, str]
_SPLIT = "\n<answers>\n"
_REFLECT = (
    "You improve the instruction of an assistant. Its instruction is:\n```\n<curr_param>\n```\n"
    "You are shown questions, its answers, and for each its score with a right answer. Find out what right answers "
    "have in common (form, length, tone, facts that come again) and what its answers lack. Then write a better "
    "instruction for it, short and exact, between ``` and ```, and nothing else.\n"
    f"{_SPLIT}<side_info>"
)
"""Its first half is ours and the instruction's, and goes before the conversation; what people wrote is the question."""


@dataclass(frozen=True, slots=True)
class Row:
    """A question with what is known of its answer."""

    example: Example


@dataclass(slots=True)
class Sources:
    """The answers that the rows which are read were made of, and how many rows were not read since those would be more
    than ``MOST_SOURCES``: a prompt has to go with each answer that it was written over."""

    ids: set[str] = field(default_factory=set)
    left_out: int = 0

    def take(self, own: Sequence[str]) -> bool:
        """Whether a row of these answers may be read."""
        if len(self.ids) + len(set(own) - self.ids) > MOST_SOURCES:
            self.left_out += 1
            return False
        self.ids.update(own)
        return True


@dataclass(frozen=True, slots=True)
class Tried:
    """An answer under some prompt, with its score."""

    row: Row
    reply: Reply
    score: float


def run(work: Work) -> Made:
    """Raises ``NothingLearned`` without enough rows, or where no other prompt is better."""
    options = cast(SearchedPromptOptions, work.options)
    read = Sources()
    train, validation = (rows(work, side, options.rows, read) for side in _READ)
    test = rows(work, "test", options.tested)
    if len(train) < _LEAST:
        raise NothingLearned(f"{len(train)} rows of train have a question with its answer", remedy="Collect more")
    search = Search(work, options, RunSocket.of_process())
    best = search.best(train, validation or train)
    if best == dict(options.parts):
        raise NothingLearned("no other prompt is better on the side validation", remedy="Give more calls or rows")
    return told(search, best, test, read)


class Search:
    """Asks the application, and is GEPA's adapter (``evaluate``, ``make_reflective_dataset``)."""

    propose_new_texts = None

    def __init__(self, work: Work, options: SearchedPromptOptions, line: RunSocket) -> None:
        self._work = work
        self._options = options
        self._line = line
        self._scoring = Scoring([options.scorer])
        self._wanted = options.scorer.name
        self._steps = 0

    def best(self, train: Sequence[Row], validation: Sequence[Row]) -> Parts:
        """The parts that are best on ``validation``. Raises ``Interrupted`` after a checkpoint."""
        # Its types are there or not, as it is.
        optimize: Any = import_module("gepa").optimize
        stopped: list[bool] = []

        def stop(_: Any) -> bool:
            stopped[:] = [True] if self._work.stopping() else []
            return bool(stopped) or self._work.finishing()

        found = optimize(
            seed_candidate=dict(self._options.parts),
            trainset=list(train),
            valset=list(validation),
            adapter=self,
            reflection_lm=self.reflect,
            reflection_minibatch_size=min(self._options.minibatch, len(train)),
            max_metric_calls=self._options.calls,
            stop_callbacks=[stop],
            run_dir=str(self._work.checkpoints / "search"),
            reflection_prompt_template=_REFLECT,
            logger=_Quiet(),
            seed=self._work.seed,
            raise_on_exception=True,
        )
        if stopped:
            raise Interrupted
        return {name: str(found.best_candidate[name]) for name in self._options.parts}

    def answers(self, batch: Sequence[Row], parts: Mapping[str, str]) -> list[Tried]:
        """The answers to the rows under a prompt. What fails scores 0."""
        options, text = self._options, whole(parts)
        questions = [
            AskedQuestion(
                options.application,
                [{"role": str(each.role), "content": each.content} for each in row.example.messages],
                text,
                options.tokens,
            )
            for row in batch
        ]
        replies = self._line.ask(questions)
        scored = self._scoring.each([row.example for row in batch], [each.text for each in replies])[self._wanted]
        return [
            Tried(row, reply, 0.0 if reply.error or score is None else float(score))
            for row, reply, score in zip(batch, replies, scored, strict=True)
        ]

    def evaluate(self, batch: list[Row], candidate: Parts, capture_traces: bool = False) -> Any:
        """See ``gepa.core.adapter.GEPAAdapter``. A part that is too long is no candidate: it scores 0."""
        from gepa.core.adapter import EvaluationBatch

        if any(not text.strip() or len(text) > self._options.longest for text in candidate.values()):
            tried = [Tried(row, Reply(error="the prompt is empty or too long"), 0.0) for row in batch]
        else:
            tried = self.answers(batch, candidate)
        self._steps += 1
        scores = [each.score for each in tried]
        self._work.log(self._steps, score=sum(scores) / max(1, len(scores)), calls=float(self._line.asked))
        return EvaluationBatch(
            outputs=[each.reply.text for each in tried], scores=scores, trajectories=tried if capture_traces else None
        )

    def make_reflective_dataset(
        self, candidate: Parts, eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """See ``gepa.core.adapter.GEPAAdapter``."""
        del candidate
        shown = [_shown(each, self._wanted) for each in eval_batch.trajectories]
        return dict.fromkeys(components_to_update, shown)

    def scores(self, test: Sequence[Row], best: Parts) -> tuple[list[float], list[float]]:
        """Of the same rows under the first prompt and under the best one."""
        both = [[each.score for each in self.answers(test, parts)] for parts in (self._options.parts, best)]
        return both[0], both[1]

    def reflect(self, prompt: str | Sequence[Mapping[str, Any]]) -> str:
        """What a model writes about a prompt and its answers."""
        if not isinstance(prompt, str):
            prompt = "\n\n".join(str(each.get("content", "")) for each in prompt)
        ours, _, shown = prompt.partition(_SPLIT)
        model = self._options.reflection or self._options.application
        asked = AskedQuestion(model, [{"role": "user", "content": shown}], ours, _REFLECTION_TOKENS, 0.7)
        reply = self._line.ask([asked])[0]
        # People see what was tried, and why a reflection came to nothing.
        self._work.sample(self._steps, "a reflection", reply.text or f"There was none: {reply.error}")
        return reply.text

    @property
    def wanted(self) -> str:
        """The name of the scorer."""
        return self._wanted

    @property
    def asked(self) -> int:
        """The questions so far, in this process."""
        return self._line.asked


class _Quiet:
    """No logger: the run's figures say everything."""

    def log(self, _: str) -> None:
        pass


def whole(parts: Mapping[str, str]) -> str:
    """The prompt of its parts, in their order."""
    return "\n\n".join(text.strip() for text in parts.values())


def rows(work: Work, side: Side, most: int, read: Sources | None = None) -> list[Row]:
    """The rows of a side that have a question and its right answer; of those that are ``read`` whose sources are
    few enough."""
    found: list[Row] = []
    sources = _sources(work, side)
    for number, row in enumerate(work.rows(side), 1):
        if len(found) == most:
            break
        where = f"{side}:{number}"
        kept = {"prompt": row["prompt"], "completion": row["chosen"]} if "chosen" in row else row
        said = conversation(kept, where)
        if said[-1].role != "assistant" or not said[-1].content.strip() or len(said) < 2:
            continue
        own = sources[number - 1] if number <= len(sources) else ()
        if read is None or read.take(own):
            found.append(Row(example(row, number, said[:-1], said[-1].content)))
    return found


def _sources(work: Work, side: Side) -> list[tuple[str, ...]]:
    """The answers that each row was made of."""
    path = work.output.parent / "data" / f"{side}.lineage.jsonl"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as lines:
        return [tuple(map(str, json.loads(line).get("answers", ()))) for line in lines]


def _shown(tried: Tried, scorer: str) -> dict[str, str]:
    asked = tried.row.example.messages[-1].content[:_SHOWN]
    right = (tried.row.example.references or ("",))[0][:_SHOWN]
    problem = f" There was no answer: {tried.reply.error}." if tried.reply.error else ""
    feedback = f"Its score ({scorer}) is {tried.score:.2f} of 1.{problem} A right answer: {right}"
    return {"Inputs": asked, "Generated Outputs": tried.reply.text[:_SHOWN], "Feedback": feedback}


def told(search: Search, best: Parts, test: Sequence[Row], read: Sources) -> Made:
    """What was found, with its score on ``test`` beside that of the prompt that it began with."""
    value: dict[str, Any] = {"text": whole(best)}
    if read.ids:
        # The model that reflected has read them, and may have written of them.
        value["sources"] = sorted(read.ids)
    notes = [f"{name}: {len(text)} characters" for name, text in best.items()]
    if read.left_out:
        notes.append(f"{read.left_out} rows were not read: a prompt keeps {MOST_SOURCES} answers that it was made of")
    if not test:
        return Made("prompt", value=value, notes=(*notes, "no rows of the side test"))
    before, after = search.scores(test, best)
    figure, gain = interval(after), interval([one - other for one, other in zip(after, before, strict=True)])
    name = search.wanted
    return Made(
        "prompt",
        figures={name: figure.value, "calls": float(search.asked)},
        intervals={name: (figure.low, figure.high)},
        counted={name: figure.n},
        before={name: sum(before) / len(before)},
        value=value,
        notes=(*notes, f"{name} against the first prompt: {gain.text()}, {gain.n} rows of test"),
    )
