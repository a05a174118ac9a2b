"""The arms of an ablation: which settings and which search options differ, as a grid of axes.

An axis is a list of values. A value is a word (what the axis sets to it) or assignments joined by ``+``, with a label
in front if one likes:

    --chunkers structure,fixed,small:chunk_tokens=64+chunk_overlap=8
    --retrievers bm25,dense,hybrid,rrf:fusion=rrf
    --expansions none,spelling+acronyms,hyde
    --rerankers off,late,deep:late+rerank_candidates=100

Keys are those of ``rag`` in the settings and of a search's options. The axes come from those types, so a new chunker or
technique needs no change here. A reranker is what ``models.reranker`` may be, and ``off`` or ``none`` is no reranker;
with a colon it needs a label, as in ``e5:late:NAME``. Only the first axis changes the index.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import ValidationError

from mainspring.core import plugins
from mainspring.core.errors import InvalidRequest, SettingsError
from mainspring.core.settings import RagSettings
from mainspring.rag.chunk.base import CHUNKER

NOTHING = frozenset({"default", "none"})
"""The values of an axis that change nothing: the arm is as the settings say. The only reranker is ``default``."""
_NO_RERANKER = frozenset({"off", "none"})
_MODES = {"bm25": "sparse"}


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to retrieve. ``index`` are the settings for ingestion, ``settings`` those that differ while searching,
    ``options`` a search's options, and ``techniques`` the processing of the query. ``reranker`` takes the place of
    ``models.reranker`` (None: as the settings say, empty: none)."""

    name: str
    index: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    techniques: tuple[str, ...] = ()
    reranker: str | None = None

    def rag(self, base: RagSettings) -> RagSettings:
        """``base`` with this arm's settings. Raises ``InvalidRequest`` naming a value that is not allowed."""
        return _changed(base, {**self.index, **self.settings})

    def indexed(self, base: RagSettings) -> RagSettings:
        """``base`` with this arm's settings for ingestion."""
        return _changed(base, self.index)


@dataclass(frozen=True, slots=True)
class _Value:
    label: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    techniques: tuple[str, ...] = ()
    reranker: str | None = None


def grid(
    chunkers: Sequence[str] = ("default",),
    retrievers: Sequence[str] = ("default",),
    expansions: Sequence[str] = ("none",),
    rerankers: Sequence[str] = ("default",),
    *,
    one_at_a_time: bool = False,
    base: RagSettings | None = None,
) -> list[Arm]:
    """Every combination, in order; an arm is named after its values on the axes that have several.

    With ``one_at_a_time`` the first values of all axes make the first arm, and every other value one that differs from
    it in that value alone.

    Raises ``InvalidRequest`` naming an axis without values, an unknown key, or a value that is not allowed.
    """
    axes = {"chunkers": chunkers, "retrievers": retrievers, "expansions": expansions, "rerankers": rerankers}
    for name, values in axes.items():
        if not values:
            raise InvalidRequest(f"{name} has no values", param=name)
    parsed = [[_parse(name, text) for text in values] for name, values in axes.items()]
    varied = [number for number, values in enumerate(axes.values()) if len(values) > 1]
    if one_at_a_time:
        arms = [_arm(values, changed) for values, changed in _neighbours(parsed)]
    else:
        arms = [_arm(values, varied) for values in itertools.product(*parsed)]
    if len({arm.name for arm in arms}) < len(arms):
        raise InvalidRequest("a value is given twice on one axis", remedy="Label them: name:key=value", param="axes")
    for arm in arms:
        arm.rag(base or RagSettings())
        _check_options(arm)
    return arms


def _neighbours(parsed: Sequence[Sequence[_Value]]) -> Iterator[tuple[list[_Value], list[int]]]:
    """The first values of all axes, then those with one value changed; each with the places that are changed."""
    first = [values[0] for values in parsed]
    yield first, []
    for place, values in enumerate(parsed):
        for value in values[1:]:
            yield [*first[:place], value, *first[place + 1 :]], [place]


def _arm(values: Sequence[_Value], varied: Sequence[int]) -> Arm:
    chunking, *others = values
    if chunking.options:
        raise InvalidRequest(f"{next(iter(chunking.options))} is not a setting of chunking", param="chunkers")
    name = " / ".join(values[number].label for number in varied)
    return Arm(
        name or next((value.label for value in values if value.label not in NOTHING), "default"),
        chunking.settings,
        {key: value for each in others for key, value in each.settings.items()},
        {key: value for each in others for key, value in each.options.items()},
        tuple(technique for each in others for technique in each.techniques),
        next((each.reranker for each in others if each.reranker is not None), None),
    )


def _parse(axis: str, text: str) -> _Value:
    label, _, rest = text.strip().partition(":") if ":" in text.split("=", 1)[0] else (text.strip(), "", text.strip())
    if not rest:
        raise InvalidRequest(f"{axis} has an empty value", param=axis)
    parts = rest.split("+")
    if axis == "rerankers":
        return _reranked(label, parts)
    if rest in NOTHING:
        return _Value(label)
    if "=" in rest:
        return _assigned(axis, label, parts)
    if axis == "expansions":
        return _Value(label, techniques=tuple(parts))
    if axis == "retrievers":
        return _Value(label, options={"mode": _MODES.get(rest, rest)})
    return _assigned(axis, label, [f"{axis.removesuffix('s')}={rest}"])


def _reranked(label: str, parts: Sequence[str]) -> _Value:
    """A reranker's name, assignments, or the name and then assignments."""
    # A name may have a plus itself, as in late+multilingual-e5-small-q4.
    assigned = [part for part in parts if "=" in part]
    name = "+".join(part for part in parts if "=" not in part)
    found = _assigned("rerankers", label, assigned)
    if name in ("", "default"):
        return found
    return dataclasses.replace(found, reranker="" if name in _NO_RERANKER else name)


def _assigned(axis: str, label: str, parts: Sequence[str]) -> _Value:
    settings: dict[str, Any] = {}
    options: dict[str, Any] = {}
    known = _option_names()
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise InvalidRequest(f"{part} is not of the form key=value", param=axis)
        if axis != "chunkers" and key in known:
            options[key] = yaml.safe_load(value)
        elif key in RagSettings.model_fields:
            settings[key] = yaml.safe_load(value)
        else:
            names = ", ".join(sorted({*RagSettings.model_fields, *(known if axis != "chunkers" else ())}))
            raise InvalidRequest(f"there is no setting {key}", remedy=f"There are {names}", param=axis)
    return _Value(label, settings, options)


def _changed(base: RagSettings, changes: Mapping[str, Any]) -> RagSettings:
    try:
        changed = RagSettings.model_validate({**base.model_dump(), **changes})
        plugins.registry().get(CHUNKER, changed.chunker)
        return changed
    except SettingsError as error:
        raise InvalidRequest(f"rag.chunker: {error.message}", remedy=error.remedy, param="chunkers") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"rag.{name}: {first['msg']} (got {first['input']!r})", param=name) from None


def _check_options(arm: Arm) -> None:
    from mainspring.rag.query.understand import TECHNIQUES
    from mainspring.rag.search.selection import SearchOptions

    SearchOptions.parse(arm.options)
    for technique in arm.techniques:
        if technique not in TECHNIQUES:
            raise InvalidRequest(
                f"there is no technique {technique}", remedy=f"There are {', '.join(TECHNIQUES)}", param="expansions"
            )


def _option_names() -> frozenset[str]:
    from mainspring.rag.search.selection import SearchOptions

    return frozenset(field.name for field in dataclasses.fields(SearchOptions))
