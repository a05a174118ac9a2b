"""The formats in which chat models write tool calls: one ``Dialect`` each, selected by the model's template.

hermes     <tool_call>{"name": "f", "arguments": {...}}</tool_call>                      (Hermes, Qwen, SmolLM)
           or ```json {"name": "f", "arguments": {...}} ```                              (Qwen-Coder)
llama      {"name": "f", "parameters": {...}}; {...}                                     (Llama 3.1, 3.3)
pythonic   [f(a=1, b="x"), g()]                                                          (Llama 3.2, 4)
mistral    [TOOL_CALLS][{"name": "f", "arguments": {...}}]  or  [TOOL_CALLS]f[ARGS]{...} (Mistral)
deepseek   <|tool call begin|>function<|tool sep|>f ```json {...}``` <|tool call end|>   (DeepSeek V3, R1, V3.1)
"""

from __future__ import annotations

import ast
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mainspring.core.types import ToolCall

Names = frozenset[str]
Read = tuple[int, list[ToolCall]]
"""How many characters were read, and the calls that they are: none if they are plain text."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One form of tool calls.

    ``opens`` begin calls anywhere in an answer, ``starts`` only where an answer begins or right behind a call.
    ``noise`` may surround calls and is no part of the answer. ``read(text, names, final)`` reads the calls at the start
    of ``text``, which starts with one of those markers; None: more text is needed. It is asked when a character of
    ``ends`` comes, and with ``final`` when nothing more will. Its decisions never depend on characters that it has not
    read.
    """

    name: str
    read: Callable[[str, Names, bool], Read | None]
    opens: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    ends: str = "}"
    shown: tuple[str, ...] = ()
    """Special tokens that occur in its calls: an engine that drops special tokens must keep these."""


def of(template: str | None) -> Dialect:
    """The dialect that a chat template's markers indicate; hermes for a template without tools."""
    source = template or ""
    for dialect, marks in _MARKS:
        if any(mark in source for mark in marks):
            return dialect
    return HERMES


def parse_call(text: str, names: Names) -> ToolCall | None:
    """``text``, a JSON object, as a call of one of ``names`` under a new id; None if it is not one.

    ``arguments`` (or llama's ``parameters``) keep the model's own spelling; a JSON string of JSON is unwrapped.
    """
    try:
        members = _members(text.strip())
        name = json.loads(members["name"])
        written = members.get("arguments", members.get("parameters", "{}"))
    except (ValueError, KeyError, RecursionError):
        return None
    return _call(name, written, names)


_CUT = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")(?:\s*,\s*"arguments"\s*:\s*(.*))?', re.DOTALL)


def cut_call(text: str, names: Names) -> ToolCall | None:
    """What there is of a bare call that was cut off, its arguments as far as they go; None without a whole name."""
    found = _CUT.match(text)
    name = json.loads(found[1], strict=False) if found else None
    return ToolCall(f"call_{secrets.token_hex(12)}", name, found[2] or "") if found and name in names else None


def _call(name: object, written: str, names: Names) -> ToolCall | None:
    try:
        value = json.loads(written)
        if isinstance(value, str):
            written, value = value, json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(name, str) or name not in names or not isinstance(value, dict):
        return None
    return ToolCall(f"call_{secrets.token_hex(12)}", name, written)


def _members(text: str) -> dict[str, str]:
    """The members of a JSON object with their values' source text. Raises ``ValueError``."""
    decoder, at = json.JSONDecoder(), _expect(text, 0, "{")
    members: dict[str, str] = {}
    while text[at : at + 1] != "}":
        if members:
            at = _expect(text, at, ",")
        key, at = decoder.raw_decode(text, at)
        start = _expect(text, _skip(text, at), ":")
        _, end = decoder.raw_decode(text, start)
        if not isinstance(key, str) or key in members:
            raise ValueError(f"bad or repeated key {key!r}")
        members[key] = text[start:end]
        at = _skip(text, end)
    if _skip(text, at + 1) != len(text):
        raise ValueError("text behind the object")
    return members


def _skip(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _expect(text: str, at: int, mark: str) -> int:
    if text[at : at + 1] != mark:
        raise ValueError(f"expected {mark!r} at {at}")
    return _skip(text, at + 1)


_JSON_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]"]', re.DOTALL)
_PYTHON_PART = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[{}\[\]()"']""", re.DOTALL)


def balanced(text: str, at: int, parts: re.Pattern[str] = _JSON_PART) -> int | None:
    """The offset after the bracket that closes the one at ``at``, ignoring strings; None if it is still open."""
    depth = 0
    for found in parts.finditer(text, at):
        mark = found[0]
        if mark in ('"', "'"):
            return None  # a string that has not ended
        if mark in "{[(":
            depth += 1
        elif mark in "}])":
            depth -= 1
            if depth <= 0:
                return found.end()
    return None


_OPEN, _CLOSE = "<tool_call>", "</tool_call>"


_FENCE, _FENCE_END = "```json", "```"


def _read_fenced(text: str, names: Names, final: bool) -> Read | None:
    """Consecutive calls, or a list of calls, in a fence; a fence with anything else is text."""
    calls: list[ToolCall] = []
    at = _skip(text, len(_FENCE))
    while not text.startswith(_FENCE_END, at):
        rest = text[at:]
        if _FENCE_END.startswith(rest):
            # The rest of a fence that may still be closed or was left open.
            return (len(text), calls) if final and calls else None
        end = balanced(text, at) if rest[0] in "{[" else at
        if end is None:
            return None
        call = parse_call(text[at:end], names) if rest[0] == "{" else None
        found = [call] if call else _listed(text[at:end], names) if rest[0] == "[" else []
        if not found:
            return len(_FENCE), []
        calls += found
        at = _skip(text, end)
    return (at + len(_FENCE_END), calls) if calls else (len(_FENCE), [])


def _read_hermes(text: str, names: Names, final: bool) -> Read | None:
    if text.startswith(_FENCE):
        return _read_fenced(text, names, final)
    end = text.find(_CLOSE)
    if end < 0:
        # Models that end their turn instead of closing the marker wrote a call all the same.
        call = parse_call(text[len(_OPEN) :], names) if final else None
        return (len(text), [call]) if call else None
    call = parse_call(text[len(_OPEN) : end], names)
    return end + len(_CLOSE), [call] if call else []


_OBJECT = re.compile(r"(?:<\|python_tag\|>)?\s*\{\s*(?=\")")
_CALLS = re.compile(r"(?:<\|python_start\|>)?\s*\[\s*[^\W\d][\w.]*\s*(?=\()")


def _read_object(text: str, names: Names, final: bool) -> Read | None:  # noqa: ARG001
    if (start := _started(text, _OBJECT, "{")) < 0:
        return _refused(text, start)
    end = balanced(text, start)
    if end is None:
        return None
    call = parse_call(text[start:end], names)
    return end, [call] if call else []


def _read_pythonic(text: str, names: Names, final: bool) -> Read | None:  # noqa: ARG001
    if (start := _started(text, _CALLS, "[")) < 0:
        return _refused(text, start)
    end = balanced(text, start, _PYTHON_PART)
    return None if end is None else (end, _python_calls(text[start:end], names))


_UNDECIDED, _NO_CALL = -1, -2


def _started(text: str, shape: re.Pattern[str], bracket: str) -> int:
    """The place of a call's bracket; ``_UNDECIDED`` while it may still come, ``_NO_CALL`` if it cannot."""
    if shape.match(text):
        return text.index(bracket)
    # A possible start of the format is recognised when the rest follows.
    rests = ('{"', '"', "[a(", "a(", "(")
    return _UNDECIDED if any(shape.match(text + rest) for rest in rests) else _NO_CALL


def _refused(text: str, start: int) -> Read | None:
    if start == _UNDECIDED:
        return None
    marks = ("<|python_tag|>", "<|python_start|>", "{", "[")
    return next(len(mark) for mark in marks if text.startswith(mark)), []


def _python_calls(source: str, names: Names) -> list[ToolCall]:
    """The calls of a Python list of calls with literal keyword arguments; none unless all of it is that."""
    calls = []
    try:
        tree = ast.parse(source, mode="eval").body
        if not isinstance(tree, ast.List) or not tree.elts:
            return []
        for element in tree.elts:
            if not isinstance(element, ast.Call) or element.args:
                return []
            values = {each.arg: ast.literal_eval(each.value) for each in element.keywords if each.arg is not None}
            if len(values) != len(element.keywords):
                return []
            call = _call(ast.unparse(element.func), json.dumps(values, ensure_ascii=False, allow_nan=False), names)
            if call is None:
                return []
            calls.append(call)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return []
    return calls


_MISTRAL = "[TOOL_CALLS]"
# The rest of it if an engine drops special tokens.
_DROPPED = "[{"
_NAMED = re.compile(r"\s*([\w.-]+)(?:\[CALL_ID\][\w-]*)?(?:\[ARGS\])?\s*(?=\{)")


def _read_mistral(text: str, names: Names, final: bool) -> Read | None:  # noqa: ARG001
    if text.startswith(_DROPPED):
        end = balanced(text, 0)
        return None if end is None else (end, _listed(text[:end], names))
    at = _skip(text, len(_MISTRAL))
    if text[at : at + 1] == "[" and not text.startswith(("[ARGS]", "[CALL_ID]"), at):
        end = balanced(text, at)
        return None if end is None else (end, _listed(text[at:end], names))
    named = _NAMED.match(text, at)
    if named is None:
        # A name, its marks and a brace may still come.
        return None if "{" not in text[at:] else (len(_MISTRAL), [])
    end = balanced(text, named.end())
    if end is None:
        return None
    call = _call(named[1], text[named.end() : end], names)
    return end, [call] if call else []


def _listed(source: str, names: Names) -> list[ToolCall]:
    """The calls in a JSON list; none if any item is something else."""
    calls, at = [], _skip(source, 1)
    while source[at : at + 1] == "{":
        end = balanced(source, at)
        call = parse_call(source[at:end], names) if end is not None else None
        if call is None or end is None:
            return []
        calls.append(call)
        at = _skip(source, end)
        if source[at : at + 1] == ",":
            at = _skip(source, at + 1)
    return calls if source[at:] == "]" else []


_BLOCK, _BLOCK_END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
_BEGIN, _SEPARATOR, _END = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"
_FENCED = re.compile(r"\s*+([\w.-]++)\s*+```(?:json)?")


def _read_deepseek(text: str, names: Names, final: bool) -> Read | None:  # noqa: ARG001
    end = text.find(_END)
    if end < 0:
        return None
    body = text[:end].removeprefix(_BLOCK).lstrip().removeprefix(_BEGIN)
    kind, _, rest = body.partition(_SEPARATOR)
    name, written = kind.strip(), rest.strip()
    fenced = _FENCED.match(rest) if name == "function" else None
    if fenced and (inside := rest[fenced.end() :].rstrip()).endswith("```"):
        name, written = fenced[1], inside[:-3].strip()
    call = _call(name, written, names)
    return end + len(_END), [call] if call else []


HERMES = Dialect("hermes", _read_hermes, opens=(_OPEN, _FENCE), ends=">`")
BARE = Dialect("bare", _read_object, starts=("{",))
LLAMA = Dialect(
    "llama",
    _read_object,
    starts=("{", "<|python_tag|>"),
    noise=(";", ",", "<|eom_id|>"),
    shown=("<|python_tag|>",),
)
PYTHONIC = Dialect(
    "pythonic",
    _read_pythonic,
    starts=("[", "<|python_start|>"),
    noise=("<|python_end|>",),
    ends="]",
    shown=("<|python_start|>", "<|python_end|>"),
)
MISTRAL = Dialect(
    "mistral",
    _read_mistral,
    opens=(_MISTRAL,),
    starts=(_DROPPED,),
    ends="]}",
    shown=(_MISTRAL, "[ARGS]", "[CALL_ID]"),
)
DEEPSEEK = Dialect(
    "deepseek",
    _read_deepseek,
    opens=(_BLOCK, _BEGIN),
    noise=(_BLOCK_END,),
    ends=">",
    shown=(_BLOCK, _BLOCK_END, _BEGIN, _SEPARATOR, _END),
)
_MARKS: Sequence[tuple[Dialect, tuple[str, ...]]] = (
    (DEEPSEEK, (_BEGIN,)),
    (MISTRAL, (_MISTRAL,)),
    (HERMES, (_OPEN,)),
    (PYTHONIC, ("<|python_start|>", "[func_name1(", "[func_call1(")),
    (LLAMA, ("<|python_tag|>", '{"name": function name', '"parameters": dictionary of argument')),
)
