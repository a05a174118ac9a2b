"""Rows of data as texts: what the model is shown and what it shall write. No torch here.

Conversations are rendered by the template with which the model is served (``engines.chat.template``), so that what is
learned is what is asked later. An answer ends with the token that ends a turn.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from mainspring.core.errors import InvalidRequest, NothingLearned
from mainspring.core.types import Message, Tool, ToolCall
from mainspring.engines.chat.template import ChatTemplate
from mainspring.evaluation.examples import Example
from mainspring.training.recipe import Side, Work

_ROLES = ("system", "developer", "user", "assistant", "tool")
MOST_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class LearnedText:
    """A text with the parts that are learned: ``spans`` are (start, end) in characters."""

    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt as the model reads it, with what is known of a right answer. ``wanted`` is one that shall be learned;
    empty: there is none. ``tools`` are those that the prompt names."""

    prompt: str
    wanted: str = ""
    example: Example = field(default_factory=lambda: Example("", ()))
    tools: tuple[Tool, ...] = ()


class Writer:
    """Renders rows by a template. ``eos`` is the text of the token that ends a turn."""

    def __init__(self, template: str, bos: str, eos: str) -> None:
        self._template = ChatTemplate(template, bos_token=bos, eos_token=eos)
        self._bos = bos
        self.eos = eos

    def prompt(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> str:
        """What the model reads before its answer."""
        return self._template.render(messages, tools)

    def ended(self, answer: str) -> str:
        """An answer as the model shall write it."""
        return self._template.neutral(answer) + self.eos

    def told(
        self,
        messages: Sequence[Message],
        turns: str = "last",
        tools: Sequence[Tool] = (),
        left_out: Container[int] = (),
    ) -> LearnedText:
        """A conversation that ends with the assistant. ``left_out`` are places of answers that are not learned; one at
        least must be. Raises ``InvalidRequest`` if the template refuses it."""
        places = [place for place, each in enumerate(messages) if each.role == "assistant"]
        wanted = [place for place in (places if turns == "all" else places[-1:]) if place not in left_out]
        whole = self._template.render(messages, tools)
        spans = []
        for place in wanted:
            before = self.prompt(messages[:place], tools) if place else ""
            end = whole.find(self.eos, len(before)) if whole.startswith(before) else -1
            if end >= 0:
                spans.append((len(before), end + len(self.eos)))
            elif place == wanted[-1]:
                # A template that shows finished turns in another way than it asks for them.
                text = before + self.ended(messages[place].content)
                return LearnedText(text, ((len(before), len(text)),))
        return LearnedText(whole[: spans[-1][1]], tuple(spans))

    def completed(self, prompt: Any, completion: Any, where: str, tools: Sequence[Tool] = ()) -> tuple[str, str]:
        """Prompt and completion as texts: each a text, or messages."""
        before = parsed(prompt, where) if not isinstance(prompt, str) else (Message("user", prompt),)
        if isinstance(completion, str):
            return self.prompt(before, tools), self.ended(completion)
        after = parsed(completion, where)
        told = self.told((*before, *after), tools=tools)
        start = told.spans[-1][0]
        return told.text[:start], told.text[start:]


def parsed(messages: Any, where: str) -> tuple[Message, ...]:
    """Messages as ``{"role", "content"}``, with ``tool_calls`` in OpenAI's form. Raises ``InvalidRequest`` naming the
    row."""
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest(f"{where}: messages must be a list of at least one message", param=where)
    return tuple(_message(each, where) for each in messages)


def _message(each: Any, where: str) -> Message:
    if not isinstance(each, Mapping) or each.get("role") not in _ROLES:
        raise InvalidRequest(f"{where}: a message must have a role of {', '.join(_ROLES)}", param=where)
    content = each.get("content")
    if isinstance(content, list) and all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
        content = "".join(str(part.get("text", "")) for part in content)
    if content is not None and not isinstance(content, str):
        raise InvalidRequest(f"{where}: the content of a message must be a text", param=where)
    calls = tuple(_call(call, where) for call in each.get("tool_calls") or ())
    return Message(each["role"], content or "", tool_calls=calls, tool_call_id=each.get("tool_call_id"))


def _call(call: Any, where: str) -> ToolCall:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not function.get("name"):
        raise InvalidRequest(f"{where}: a tool call needs a function with a name", param=where)
    arguments = function.get("arguments", "")
    said = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(str(call.get("id", "")), str(function["name"]), said)


def conversation(row: Mapping[str, Any], where: str) -> tuple[Message, ...]:
    """The conversation of a row for supervised learning: ``messages``; ``prompt`` and ``completion``; ``question``,
    ``documents`` and ``answer`` (RAFT). It ends with the assistant. Raises ``InvalidRequest``."""
    if "messages" in row:
        found = parsed(row["messages"], where)
    elif "documents" in row and "question" in row:
        found = (*grounded(str(row["question"]), row["documents"]), Message("assistant", str(row.get("answer", ""))))
    elif "prompt" in row and "completion" in row:
        prompt, completion = row["prompt"], row["completion"]
        before = (Message("user", prompt),) if isinstance(prompt, str) else parsed(prompt, where)
        after = (Message("assistant", completion),) if isinstance(completion, str) else parsed(completion, where)
        found = (*before, *after)
    else:
        raise InvalidRequest(
            f"{where}: a row needs messages, or prompt and completion, not {', '.join(sorted(row)) or 'nothing'}",
            remedy="Export the lake in the format trl, or write such rows",
            param=where,
        )
    if found[-1].role != "assistant" or not (found[-1].content.strip() or found[-1].tool_calls):
        raise InvalidRequest(f"{where}: a conversation must end with an answer of the assistant", param=where)
    return found


def tools_of(row: Mapping[str, Any], where: str) -> tuple[Tool, ...]:
    """The tools that the assistant of a row may call, in OpenAI's form. Raises ``InvalidRequest``."""
    found = []
    for each in row.get("tools") or ():
        function = each.get("function") if isinstance(each, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise InvalidRequest(f"{where}: a tool needs a function with a name", param=where)
        parameters = function.get("parameters") or {}
        if not isinstance(parameters, Mapping):
            raise InvalidRequest(f"{where}: the parameters of a tool must be a JSON schema", param=where)
        found.append(Tool(function["name"], str(function.get("description") or ""), parameters))
    return tuple(found)


def learned(row: Mapping[str, Any], where: str, writer: Writer, turns: str) -> LearnedText:
    """The conversation of a row as a text, with its tools, and without the answers whose ``weight`` is 0. Raises
    ``InvalidRequest``."""
    messages = conversation(row, where)
    given = row.get("messages", ())
    left_out = {place for place, each in enumerate(given) if each.get("weight") == 0}
    if left_out and turns == "last" and len(messages) - 1 in left_out:
        raise InvalidRequest(
            f"{where}: its last answer has the weight 0", remedy="Use the option turns: all", param=where
        )
    if left_out and all(place in left_out for place, each in enumerate(messages) if each.role == "assistant"):
        raise InvalidRequest(f"{where}: all of its answers have the weight 0", remedy="Leave it out", param=where)
    return writer.told(messages, turns, tools_of(row, where), left_out)


_GROUNDED = "Answer from the numbered documents, and cite them. If they do not say, say so."


def grounded(question: str, documents: Sequence[str]) -> tuple[Message, ...]:
    """A question over numbered documents, as the lake's exports of the kind ``raft`` write it."""
    shown = "\n".join(f"[{place}] {text}" for place, text in enumerate(documents, 1))
    return (Message("system", _GROUNDED), Message("user", f"{shown}\n\nQuestion: {question}"))


def example(
    row: Mapping[str, Any], number: int, messages: Sequence[Message], answer: str = "", right: str = ""
) -> Example:
    """What scorers read of a row: ``references`` (else the answer), ``passages``, ``refused`` and ``extra``. ``right``
    is the field that has the references instead."""
    references = row[right] if right else row.get("references", [answer] if answer else [])
    references = references if isinstance(references, list | tuple) else [references]
    extra = dict(row.get("extra") or {})
    if "schema" in row:
        extra["schema"] = row["schema"]
    refused = row.get("refused")
    return Example(
        str(row.get("id", number)),
        tuple(messages),
        tuple(str(each) for each in references),
        tuple(str(each) for each in row.get("passages", row.get("documents", ()))),
        refused if isinstance(refused, bool) else None,
        extra=extra,
    )


def numbered(work: Work, side: Side) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """The rows of a side with where each is. Raises ``InvalidRequest`` beyond the most that fit into memory."""
    for number, row in enumerate(work.rows(side), 1):
        if number > MOST_ROWS:
            raise InvalidRequest(f"{side} has more than {MOST_ROWS} rows", remedy="Give fewer rows", param=side)
        yield f"{side}:{number}", number, row


def conversations(work: Work, side: Side, writer: Writer, turns: str = "last") -> list[LearnedText]:
    """The rows of a side for supervised learning."""
    return [learned(row, where, writer, turns) for where, _, row in numbered(work, side)]


def questions(work: Work, side: Side, writer: Writer, most: int | None = None, right: str = "") -> list[Question]:
    """The rows of a side as prompts: ``prompt`` alone, messages that end with the user, or a conversation without its
    last answer, which is a right one. ``right`` is a field that has right answers instead. Raises ``InvalidRequest``
    naming a row without it."""
    found: list[Question] = []
    for where, number, row in numbered(work, side):
        if most is not None and len(found) == most:
            break
        if right and row.get(right) in (None, "", []):
            raise InvalidRequest(
                f"{where}: the row has no {right}, which the grader compares with",
                remedy="Give each row that field",
                param=where,
            )
        tools = tools_of(row, where)
        if (before := _asked(row, where)) is not None:
            found.append(Question(writer.prompt(before, tools), "", example(row, number, before, right=right), tools))
            continue
        messages = conversation(row, where)
        answer = messages[-1].content
        known = example(row, number, messages[:-1], answer, right)
        found.append(Question(writer.prompt(messages[:-1], tools), writer.ended(answer), known, tools))
    return found


def _asked(row: Mapping[str, Any], where: str) -> tuple[Message, ...] | None:
    """The messages of a row that has no answer; None: it has one."""
    if "messages" in row:
        messages = parsed(row["messages"], where)
        return messages if messages[-1].role in ("user", "tool") else None
    if "prompt" in row and ("label" in row or "completion" not in row):
        prompt = row["prompt"]
        return (Message("user", prompt),) if isinstance(prompt, str) else parsed(prompt, where)
    return None


def enough(rows: Sequence[Any] | int, least: int, what: str = "rows in train") -> None:
    """Raises ``NothingLearned`` for fewer than ``least``."""
    count = rows if isinstance(rows, int) else len(rows)
    if count < least:
        raise NothingLearned(f"{count} {what} are too few", remedy=f"Give at least {least}")


def encoded(tokenizer: Any, told: Iterable[LearnedText], length: int) -> list[dict[str, list[int]]]:
    """``input_ids`` and ``labels`` of each text that has at most ``length`` tokens; -100 where nothing is learned.

    A prompt is cut into tokens without what follows, as it is when somebody asks: a blank at its end would else be part
    of the answer's first token.
    """
    made = []
    for each in told:
        ids: list[int] = []
        labels: list[int] = []
        starts = [0, *(start for start, _ in each.spans if start), len(each.text)]
        for begin, end in pairwise(starts):
            found = tokenizer(each.text[begin:end], add_special_tokens=False, return_offsets_mapping=True)
            ids += found["input_ids"]
            for token, (first, _) in zip(found["input_ids"], found["offset_mapping"], strict=True):
                learned = any(start <= begin + first < stop for start, stop in each.spans)
                labels.append(token if learned else -100)
        if len(ids) <= length:
            made.append({"input_ids": ids, "labels": labels})
    return made


@dataclass(frozen=True, slots=True)
class AnswerPair:
    """Two answers to a prompt, as texts; people prefer ``chosen``."""

    prompt: str
    chosen: str
    rejected: str


def pairs(work: Work, side: Side, writer: Writer) -> list[AnswerPair]:
    """The rows of a side as preferences: ``prompt``, ``chosen`` and ``rejected``. Raises ``InvalidRequest``."""
    found = []
    for where, _, row in numbered(work, side):
        if lacks := {"prompt", "chosen", "rejected"} - set(row):
            raise InvalidRequest(
                f"{where}: a preference has no {min(lacks)}",
                remedy="Export the kind preference in the format trl",
                param=where,
            )
        tools = tools_of(row, where)
        prompt, chosen = writer.completed(row["prompt"], row["chosen"], where, tools)
        rejected = writer.completed(row["prompt"], row["rejected"], where, tools)[1]
        if chosen != rejected:
            found.append(AnswerPair(prompt, chosen, rejected))
    return found


@dataclass(frozen=True, slots=True)
class Thumb:
    """An answer to a prompt, as texts, and whether people liked it."""

    prompt: str
    completion: str
    up: bool


def thumbs(work: Work, side: Side, writer: Writer) -> list[Thumb]:
    """The rows of a side as thumbs: ``prompt``, ``completion`` and ``label``; a preference is one of each. Raises
    ``InvalidRequest``."""
    found = []
    for where, _, row in numbered(work, side):
        if "chosen" in row and "rejected" in row:
            for name, up in (("chosen", True), ("rejected", False)):
                found.append(Thumb(*writer.completed(row.get("prompt"), row[name], where, tools_of(row, where)), up))
            continue
        if "prompt" not in row or "completion" not in row or not isinstance(row.get("label"), bool):
            raise InvalidRequest(
                f"{where}: a thumb needs prompt, completion and label (true or false)",
                remedy="Export the kind thumbs in the format trl",
                param=where,
            )
        told = writer.completed(row["prompt"], row["completion"], where, tools_of(row, where))
        found.append(Thumb(*told, row["label"]))
    return found
