"""Marks for the fields of an event's facts: their treatment by erasure, export and the ledger.

``Keep`` survives an erasure: numbers, and names of ours or of the operator. ``Served`` names a model or an
application: it is kept, unless the name is unknown; then it is the caller's text. ``Erase`` is deleted. ``Digest`` is
replaced by a digest under a discarded key: equal values stay equal within one erasure, and nobody can recover them.
``Unexported`` is shown to no data subject and goes into no lake: it is about the machine or the operator's contracts.
The ledger adds up ``Sum`` and ``Count``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

Erasure = Literal["keep", "erase", "digest"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of a field: what an erasure does with it, whether it is kept only if it is ``served``, whether it is
    ``exported``, and how the ledger reads it."""

    erasure: Erasure | None = None
    served: bool = False
    exported: bool = True
    ledger: Literal["", "sum", "count"] = ""


Keep = Annotated[T, Mark("keep")]
Served = Annotated[T, Mark("keep", served=True)]
Erase = Annotated[T, Mark("erase")]
Digest = Annotated[T, Mark("digest")]
Unexported = Annotated[T, Mark(exported=False)]
Sum = Annotated[T, Mark(ledger="sum")]
Count = Annotated[T, Mark(ledger="count")]
