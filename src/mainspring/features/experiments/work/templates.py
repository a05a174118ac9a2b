"""Templates of OpenAI's evals: ``{{ item.field }}`` and ``{{ sample.output_text }}`` in texts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Message
from mainspring.evaluation.example_json import message_of
from mainspring.evaluation.examples import Example, ExampleAnswer

_FIELD = re.compile(r"\{\{\s*([\w.\[\]-]{1,200})\s*\}\}")


def item_of(example: Example) -> Mapping[str, Any]:
    """What templates call ``item``: the object that the example was made of, or its own fields."""
    item = example.extra.get("item")
    if isinstance(item, Mapping):
        return item
    reference = example.references[0] if example.references else ""
    return {"question": example.question, "reference": reference, "tags": dict(example.tags), **example.extra}


def sample_of(answered: ExampleAnswer) -> Mapping[str, Any]:
    """What templates call ``sample``."""
    return {"output_text": answered.text, "model": answered.model}


def render(template: str, values: Mapping[str, Any]) -> str:
    """``template`` with the fields of ``values``. Raises ``InvalidRequest`` naming one that is not there."""
    return _FIELD.sub(lambda found: _text(_field(found[1], values)), template)


def filled(
    template: Sequence[Mapping[str, Any]], example: Example, answered: ExampleAnswer | None = None
) -> list[Message]:
    """The messages of a template for an example."""
    values: dict[str, Any] = {"item": item_of(example)}
    if answered is not None:
        values["sample"] = sample_of(answered)
    return [message_of({**each, "content": render(str(each.get("content", "")), values)}) for each in template]


def _field(path: str, values: Mapping[str, Any]) -> Any:
    found: Any = values
    for part in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            raise InvalidRequest(f"the template asks for {path:.100}, which the item does not have", param="template")
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
