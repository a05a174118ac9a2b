"""Chat templates: a conversation rendered into a prompt by the model's own Jinja template, in a sandbox.

Control tokens written by callers are disarmed: in every string of a request (contents, names, tool descriptions,
arguments), a zero-width space is inserted after the first character of each special token, so that ``<|im_start|>`` in
a user's message stays visible text and cannot open a turn. Special tokens are those that the caller names
(``special_tokens``), those that the template writes, and anything of the form ``<|...|>``.

This module supplies what a template lacks. ``developer`` becomes ``system``. A template that refuses system messages
gets them in front of the first user message; one that requires alternating roles gets neighbours joined; one without
``tools`` gets a system block, with calls and results as text (see ``tools.py``).
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

from mainspring.core.errors import InvalidRequest, ModelError
from mainspring.core.types import Message, Tool
from mainspring.engines.chat import dialects
from mainspring.engines.chat import tools as tool_text

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The plainest widely trained format, for models that bring no template."""

# Tokens that open or close turns in the published chat formats, where they occur in a template's text.
_CONTROL = re.compile(
    r"<\|[^|<>\s]{1,64}\|>|<\uff5c[^\uff5c<>]{1,64}\uff5c>|</?s>|<(?:bos|eos)>|<(?:start|end)_of_turn>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS)\]|<</?SYS>>"
)
# A string in the shape of a control token may be one that neither the template nor its caller mentions.
_SHAPE = re.compile(r"<\|[^|<>\s]{1,64}\|>|<\uff5c[^\uff5c<>]{1,64}\uff5c>")
# Markers of a tool's result: a result (or a user) that could close its own would speak with another's voice.
_RESULT = ("<tool_response>", "</tool_response>")
_BREAK = "\u200b"
EFFORT = "reasoning_effort"
FIELDS = (EFFORT, "verbosity")
"""The variables that are fields of requests; others come as ``chat_template_kwargs``."""
# What templates have instead of an effort: reasoning is on or off.
_SWITCHES = ("enable_thinking", "thinking")
OWN = frozenset({"messages", "tools", "add_generation_prompt", "bos_token", "eos_token"})
"""Variables of templates that no request may set."""
_MAX_SOURCE = 1_000_000


class ChatTemplate:
    """A compiled chat template.

    ``bos_token`` and ``eos_token`` are the texts that templates refer to; ``special_tokens`` further control
    tokens of the tokenizer. Raises ``ModelError`` if ``source`` is not a template.
    """

    def __init__(
        self,
        source: str = CHATML,
        *,
        bos_token: str = "",
        eos_token: str = "",
        special_tokens: Iterable[str] = (),
    ) -> None:
        environment = _environment()
        try:
            if len(source) > _MAX_SOURCE:
                raise jinja2.TemplateError(f"it is {len(source)} characters long")
            variables = jinja2.meta.find_undeclared_variables(environment.parse(source))
            self._template = environment.from_string(source)
        except (jinja2.TemplateError, RecursionError) as error:
            raise ModelError(f"the model's chat template cannot be used: {error}") from None
        self._tokens = {"bos_token": bos_token, "eos_token": eos_token}
        found = {*_CONTROL.findall(source), *special_tokens, bos_token, eos_token}
        self.special = tuple(sorted((token for token in found if len(token) > 1), key=len, reverse=True))
        self.has_tools = "tools" in variables
        self.variables = frozenset(variables - OWN - environment.globals.keys())
        self.dialect = dialects.of(source) if self.has_tools else dialects.HERMES
        self.fingerprint = hashlib.sha256("\0".join((source, *self.special)).encode()).hexdigest()[:16]
        self._developer = "developer" in source
        system, user, assistant = (Message(role, f"probe-{role}") for role in ("system", "user", "assistant"))
        self._system = self._accepts((system, user))
        self._repeats = self._accepts((user, user)) and self._accepts((user, assistant, assistant, user))

    def render(self, messages: Sequence[Message], tools: Sequence[Tool] = (), **variables: Any) -> str:
        """The prompt, which ends where the assistant's answer begins. ``variables`` are passed to the template
        unchanged.

        Raises ``InvalidRequest`` naming ``messages`` if the template refuses them.
        """
        if not messages:
            raise InvalidRequest("messages is empty", param="messages")
        prepared = self._prepare(messages, tools)
        try:
            return self._render(prepared, tools, variables)
        except jinja2.TemplateError as error:
            raise InvalidRequest(f"the model's chat template refuses messages: {error}", param="messages") from None
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError, ArithmeticError) as error:
            problem = f"the model's chat template fails on these messages: {error}"
            raise InvalidRequest(problem, param="messages") from None

    def steered(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Those of ``variables`` that the template reads, their control tokens disarmed. An effort of reasoning becomes
        the switch of a template that can only turn it on and off."""
        read = {name: self._disarm(value) for name, value in variables.items() if name in self.variables}
        effort = variables.get(EFFORT)
        if effort is not None and EFFORT not in self.variables:
            read |= {name: effort != "none" for name in _SWITCHES if name in self.variables and name not in variables}
        return read

    def neutral(self, text: str, *, results: bool = True) -> str:
        """``text`` with its control tokens broken by zero-width spaces, and the markers of tool ``results``."""
        for token in (*self.special, *(_RESULT if results else ())):
            while token in text:
                text = text.replace(token, token[0] + _BREAK + token[1:])
        return _SHAPE.sub(lambda found: found[0][0] + _BREAK + found[0][1:], text)

    def _render(self, messages: list[dict[str, Any]], tools: Sequence[Tool], variables: Mapping[str, Any]) -> str:
        shown = [self._disarm(tool_text.declaration(tool)) for tool in tools] if self.has_tools else []
        return self._template.render(
            messages=messages,
            tools=shown or None,
            add_generation_prompt=True,
            **self._tokens,
            **variables,
        )

    def _prepare(self, messages: Sequence[Message], tools: Sequence[Tool]) -> list[dict[str, Any]]:
        if not self.has_tools:
            messages = tool_text.as_text(messages, tools, self.neutral)
        shaped = [self._shape(message) for message in messages]
        if not self._system:
            shaped = _fold_system(shaped)
        return shaped if self._repeats else _join_neighbours(shaped)

    def _shape(self, message: Message) -> dict[str, Any]:
        role = "system" if message.role == "developer" and not self._developer else message.role
        # Without tools in the template, results were disarmed and wrapped before they came here.
        results = message.role in ("user", "tool") and self.has_tools
        shaped: dict[str, Any] = {"role": role, "content": self.neutral(message.content, results=results)}
        if message.name:
            shaped["name"] = self.neutral(message.name)
        if message.tool_call_id:
            shaped["tool_call_id"] = self.neutral(message.tool_call_id)
        if message.tool_calls:
            shaped["tool_calls"] = [
                self._disarm(
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.name, "arguments": tool_text.parsed(call.arguments)},
                    }
                )
                for call in message.tool_calls
            ]
        return shaped

    def _disarm(self, value: Any) -> Any:
        match value:
            case str():
                return self.neutral(value)
            case Mapping():
                return {self.neutral(str(key)): self._disarm(item) for key, item in value.items()}
            case list() | tuple():
                return [self._disarm(item) for item in value]
            case _:
                return value

    def _accepts(self, messages: Sequence[Message]) -> bool:
        """Whether the template renders all of these contents."""
        try:
            text = self._render([{"role": item.role, "content": item.content} for item in messages], (), {})
        except Exception:
            # A probe: whatever a foreign template throws means that it does not take this shape.
            return False
        return all(text.count(item.content) >= messages.count(item) for item in messages)


def unread(variables: Mapping[str, Any], read: Mapping[str, Any]) -> list[str]:
    """The fields of a request that set those of ``variables`` which nothing has ``read``."""
    switched = any(name in read for name in _SWITCHES)
    left = [name for name in variables if name not in read and not (name == EFFORT and switched)]
    return [name if name in FIELDS else f"chat_template_kwargs.{name}" for name in left]


def _fold_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    system = [message["content"] for message in messages if message["role"] == "system"]
    others = [message for message in messages if message["role"] != "system"]
    if not system:
        return others
    if not others or others[0]["role"] != "user":
        return [{"role": "user", "content": "\n\n".join(system)}, *others]
    first = {**others[0], "content": "\n\n".join([*system, others[0]["content"]])}
    return [first, *others[1:]]


def _join_neighbours(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    joined: list[dict[str, Any]] = []
    for message in messages:
        last = joined[-1] if joined else None
        plain = last is not None and last.keys() == message.keys() == {"role", "content"}
        if last is not None and plain and last["role"] == message["role"]:
            joined[-1] = {**last, "content": f"{last['content']}\n\n{message['content']}"}
        else:
            joined.append(message)
    return joined


class _GenerationBlock(jinja2.ext.Extension):
    """``{% generation %}`` marks the assistant's tokens for training; in a prompt it is nothing."""

    tags = {"generation"}  # noqa: RUF012  (Jinja reads it off the class)

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> jinja2.sandbox.ImmutableSandboxedEnvironment:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, _GenerationBlock]
    )
    # Jinja's own tojson escapes HTML, which would show models another text than they were trained on.
    environment.filters["tojson"] = _tojson
    helpers: dict[str, Callable[..., Any]] = {"raise_exception": _raise, "strftime_now": _now}
    environment.globals.update(helpers)
    return environment


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)


def _now(pattern: str) -> str:
    return datetime.datetime.now().strftime(pattern)
