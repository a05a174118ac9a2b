"""A validator's first error, explained to the sender of the body or query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.nearest import shown
from mainspring.http.bodies import UNKNOWN_FIELD
from mainspring.http.fields import REFUSED_FIELD

# How the validator calls the plain members of a union.
MEMBER = re.compile(r"(constrained-)?(str|bool|int|float)|.*\[.*")
# The fields of forms: a list, or a field of a table.
OF_FORMS = re.compile(r"(?!(list|dict|tuple|set|literal|function)\b)[a-z_]+\[[a-z_]*\]")


def invalid(first: Mapping[str, Any], loc: Sequence[str | int]) -> InvalidRequest | Unsupported:
    """A validator's ``first`` error, explained to the sender; ``loc`` is its place in the body."""
    place, message, remedy = _place(loc), str(first["msg"]), "See /docs for the fields"
    if first["type"] == "json_invalid":
        return InvalidRequest("the body is not valid JSON in UTF-8", remedy=remedy)
    if first["type"] == REFUSED_FIELD:
        param = ".".join(place)
        return Unsupported(f"{param}: {message}", remedy=str(first["ctx"]["remedy"]), param=param)
    if first["type"] == UNKNOWN_FIELD:
        place.append(str(first["ctx"]["name"]))
        message = f"unknown field {'.'.join(place)!r}"
        remedy = f"Did you mean {first['ctx']['nearest']}?" if first["ctx"]["nearest"] else remedy
    elif place:
        message = f"{'.'.join(place)}: {message}"
    else:
        message, remedy = (
            "the body must be a JSON object",
            "Send it with the header `Content-Type: application/json`",
        )
    return InvalidRequest(message, param=".".join(place) or None, remedy=remedy)


def _place(loc: Sequence[str | int]) -> list[str]:
    """The dotted place within the body or query, without the member of a union that was tried."""
    place = []
    for part in loc:
        member = isinstance(part, str) and (MEMBER.fullmatch(part) or part[:1].isupper())
        if member and not OF_FORMS.fullmatch(str(part)):
            break
        place.append(shown(str(part), 64))
    return place
