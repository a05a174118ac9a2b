"""Rows in the formats that trainers read.

- trl: conversational columns of the dataset types of TRL: ``messages``; ``prompt``, ``chosen``, ``rejected``;
  ``prompt``, ``completion``, ``label``.
- axolotl: ``chat_template`` for messages, ``chat_template.default`` of DPO (``messages``, ``chosen``, ``rejected``),
  and ``user_defined.default`` of KTO (texts).
- openai: the files of its fine-tuning for ``supervised`` and ``dpo``.
- anthropic: ``system`` and ``messages`` that alternate, as Amazon Bedrock reads them to fine-tune Claude.

The files of OpenAI and Anthropic have no further fields, since their checks refuse them; the lineage lies beside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from mainspring.core.errors import InvalidRequest
from mainspring.features.lake.exports.sets.rows import Body, ExportKind

ExportFormat = Literal["trl", "axolotl", "openai", "anthropic"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
BARE: tuple[ExportFormat, ...] = ("openai", "anthropic")
"""Formats whose rows have no further fields."""
Written = dict[str, Any]
Message = Mapping[str, Any]


def check_format(kind: ExportKind, name: str) -> ExportFormat:
    """Raises ``InvalidRequest`` if nobody reads this kind in this format."""
    for each in FORMATS:
        if name == each:
            if kind in ("sft", "raft", *_WRITE[each]) or each == "trl":
                return each
            known = [other for other in FORMATS if other == "trl" or kind in _WRITE[other]]
            raise InvalidRequest(
                f"{name} does not read the kind {kind}", remedy=f"Use one of {', '.join(known)}", param="format"
            )
    raise InvalidRequest(f"there is no format {name!r}", remedy=f"Choose one of {', '.join(FORMATS)}", param="format")


def written(kind: ExportKind, name: ExportFormat, body: Body) -> Written | None:
    """The row in the format; None if it cannot say it, such as a conversation that ends with the system."""
    write = _WRITE[name].get(kind)
    return dict(body) if write is None else write(body)


def raft_messages(body: Body) -> list[Message]:
    """A row of RAFT as a conversation."""
    documents = "\n".join(f"[{place}] {text}" for place, text in enumerate(body["documents"], 1))
    asked = f"{documents}\n\nQuestion: {body['question']}"
    told = "Answer from the numbered documents, and cite them. If they do not say, say so."
    return [
        {"role": "system", "content": told},
        {"role": "user", "content": asked},
        {"role": "assistant", "content": body["answer"]},
    ]


def _messages(body: Body) -> Written:
    return {"messages": list(body["messages"])}


def _raft_beside(body: Body) -> Written:
    return {"messages": raft_messages(body), **body}


def _raft(body: Body) -> Written:
    return {"messages": raft_messages(body)}


def _axolotl_pair(body: Body) -> Written:
    return {"messages": list(body["prompt"]), "chosen": body["chosen"][-1], "rejected": body["rejected"][-1]}


def _axolotl_thumb(body: Body) -> Written:
    *before, last = body["prompt"]
    system = "\n".join(each["content"] for each in before if each["role"] == "system")
    talk = [each for each in before if each["role"] in ("user", "assistant")]
    said = "\n\n".join(f"{each['role'].capitalize()}: {each['content']}" for each in talk)
    prompt = f"{said}\n\nUser: {last['content']}" if said else last["content"]
    row = {"prompt": prompt, "completion": body["completion"][-1]["content"], "label": body["label"]}
    return {"system": system, **row}


def _openai_pair(body: Body) -> Written:
    return {
        "input": {"messages": list(body["prompt"])},
        "preferred_output": list(body["chosen"]),
        "non_preferred_output": list(body["rejected"]),
    }


def _anthropic(body: Body) -> Written | None:
    return _alternating(body["messages"])


def _anthropic_raft(body: Body) -> Written | None:
    return _alternating(raft_messages(body))


def _alternating(messages: Sequence[Message]) -> Written | None:
    """``system`` apart, and users and assistants by turns: neighbours of one role are put together. None for
    conversations with tools, and for those that do not go from a user to the assistant."""
    system = "\n\n".join(each["content"] for each in messages if each["role"] == "system")
    turns: list[dict[str, str]] = []
    for each in messages:
        if each["role"] == "system":
            continue
        if each["role"] == "tool" or each.get("tool_calls"):
            return None
        if turns and turns[-1]["role"] == each["role"]:
            turns[-1]["content"] += "\n\n" + each["content"]
        else:
            turns.append({"role": each["role"], "content": each["content"]})
    ends = turns and turns[0]["role"] == "user" and turns[-1]["role"] == "assistant"
    if not ends or not all(turn["content"].strip() for turn in turns):
        return None
    return {"system": system, "messages": turns} if system else {"messages": turns}


_WRITE: Mapping[ExportFormat, Mapping[str, Callable[[Body], Written | None]]] = {
    "trl": {"sft": _messages, "raft": _raft_beside},
    "axolotl": {"sft": _messages, "raft": _raft, "preference": _axolotl_pair, "thumbs": _axolotl_thumb},
    "openai": {"sft": _messages, "raft": _raft, "preference": _openai_pair},
    "anthropic": {"sft": _anthropic, "raft": _anthropic_raft},
}
