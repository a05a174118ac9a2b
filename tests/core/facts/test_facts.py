"""Typed facts: every version's facts can be read again, and the marks of the fields have their effects."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest

from mainspring.core.facts.answers import AnswerFacts, ReplayFacts
from mainspring.core.facts.base import Facts, Field, Part, name_of, shape
from mainspring.core.facts.calls import CallFacts, PriceFacts
from mainspring.core.facts.derived import Eraser, columns, exported, summed
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.facts.marks import Erase, Keep
from mainspring.core.facts.registry import KINDS, read
from mainspring.core.facts.retrievals import HitFacts, RetrievalFacts
from mainspring.stores.money.ledger import LedgerLine
from mainspring.stores.sql import rows

GUARD = {
    "stage": "input",
    "role": "user",
    "application": "chat",
    "guard": "pii_input",
    "action": "redact",
    "kind": "email",
    "count": 2,
    "policy": "default-1a2b3c4d",
    "score": 0.713,
    "dry_run": True,
    "collection": "vs_1",
    "replay_of": "ans_1",
}
# What callers, people and documents said, and who they are.
SOMEBODYS = {
    "answer": {"user", "session_id", "previous", "sampling", "groups", "regions", "prompt.wanted"},
    "replay": {"user", "session_id", "previous", "sampling", "message", "changes"},
    "retrieval": {"parts[].part", "reading.left_out[].why"},
    "feedback": {"comment"},
    "approval": {"tool", "call_id", "by", "sha256"},
    "repair": {"problems"},
    "score": {"notices", "changes"},
    "erased": {"session_id"},
}


def filled(kind: type[Part]) -> Any:
    """One with something in each field that is none of its defaults."""
    return kind(**{field.name: _something(field) for field in shape(kind).fields})


def _something(field: Field) -> Any:
    if field.part is not None:
        return [filled(field.part)] if field.many else filled(field.part)
    name = field.json_type.removesuffix(" | null")
    made: dict[str, Any] = {"str": f"word of {field.name}", "int": 7, "float": 0.5, "bool": True}
    if name.startswith("list[list"):
        return [[f"word of {field.name}"]]
    if name.startswith("list"):
        return [f"word of {field.name}"]
    if name.startswith("dict"):
        return {"given": 1} if name.endswith(("float]", "int]")) else {"given": f"word of {field.name}"}
    return made[name.split(" | ")[0]]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_again(kind: str) -> None:
    facts = filled(KINDS[kind])
    written = json.loads(json.dumps(facts.plain()))
    again = read(kind, written)
    assert again == facts
    assert again.plain() == written
    assert kind == again.EVENT
    fields = {each.name for each in shape(KINDS[kind]).fields}
    assert written.keys() == fields, "everything that differs from its default is written"


@pytest.mark.parametrize("kind", KINDS)
def test_facts_of_no_fields_are_read_and_written_as_they_were(kind: str) -> None:
    assert read(kind, {}).plain() == {}
    assert read(kind, {"cost_nanousd": None, "hits": None}).plain() == {"cost_nanousd": None, "hits": None}


def test_what_is_absent_is_nothing_of_its_type() -> None:
    call = CallFacts.from_json({"model": "m", "ttft_s": None, "price": {"source": "catalogue"}})
    assert (call.cost_nanousd, call.key_id, call.finish, call.ttft_s, call.unpriced) == (0, "", (), None, False)
    assert call.price == PriceFacts(source="catalogue", input=0, output=0)
    assert RetrievalFacts.from_json({"hits": [{"document_id": "d"}]}).hits == [HitFacts(document_id="d")]


def test_what_is_as_usual_is_left_out_and_what_is_required_is_not() -> None:
    facts = CallFacts.from_json({})
    written = dataclasses.replace(facts, model="m").plain()
    assert (written["cost_nanousd"], written["ttft_s"]) == (0, None)
    assert not {"unpriced", "routed", "route", "error", "replay_of"} & written.keys()


def test_what_another_version_wrote_survives() -> None:
    facts = read("call", {"model": "m", "carbon": {"grams": 3}})
    assert dataclasses.replace(facts, replay_of="ans_1").plain()["carbon"] == {"grams": 3}
    foreign = read("dream", {"about": "sheep", "count": 2})
    assert (foreign.EVENT, foreign.plain()) == ("dream", {"about": "sheep", "count": 2})
    assert Eraser().left("dream", foreign.plain()) == {"count": 2}
    assert exported("dream", foreign.plain()) == {"about": "sheep", "count": 2}


def test_a_field_says_what_becomes_of_it() -> None:
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Unmarked(Part):
        words: str

    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Twice(Part):
        words: Keep[Erase[str]]

    for kind in (Unmarked, Twice):
        with pytest.raises(TypeError, match=r"words has to say what an erasure does with it"):
            shape(kind)


def test_only_a_field_that_is_there_is_asked_for() -> None:
    assert name_of(AnswerFacts, "session_id") == "session_id"
    with pytest.raises(TypeError, match="AnswerFacts has no field sesion"):
        name_of(AnswerFacts, "sesion")


def test_facts_are_of_the_kind_that_they_are() -> None:
    answer, replay = read("answer", {}), read("replay", {})
    assert AnswerFacts.of(answer) is answer
    assert not isinstance(replay, AnswerFacts), "no user was answered"
    with pytest.raises(TypeError, match="replay event are no AnswerFacts"):
        AnswerFacts.of(replay)


def at(found: Any, path: str) -> list[Any]:
    """The values of a column, in what was left."""
    name, _, rest = path.partition(".")
    value = found.get(name.removesuffix("[]")) if isinstance(found, Mapping) else None
    values = value if name.endswith("[]") and isinstance(value, list) else [value]
    return [each for one in values for each in at(one, rest)] if rest else values


@pytest.mark.parametrize("kind", KINDS)
def test_an_erasure_leaves_what_is_marked_and_nothing_else(kind: str) -> None:
    whole = filled(KINDS[kind]).plain()
    left = Eraser().left(kind, whole)
    for column in columns(KINDS[kind]):
        before, after = at(whole, column.name), at(left, column.name)
        expected = {"keep": before, "erase": [None] * len(after)}.get(column.erasure)
        assert expected is None or after == expected, column
    marked = {each.name for each in columns(KINDS[kind]) if each.erasure == "erase"}
    assert SOMEBODYS.get(kind, set()) <= marked
    assert Eraser().left(kind, left) == left, "what was erased stays as it is"


def test_names_that_nobody_serves_are_the_callers() -> None:
    asked = {"requested": "my secret", "model": "my secret", "error": "model_not_found", "status": "failed"}
    assert Eraser().left("answer", asked) == {"error": "model_not_found", "status": "failed"}
    assert Eraser().left("answer", {**asked, "error": "timeout"})["requested"] == "my secret"


def test_a_digest_tells_what_was_equal_and_not_what_it_was() -> None:
    calls: list[dict[str, Any]] = [{"prefix": "aa11", "prefix_tokens": 900}, {"prefix": "aa11"}, {"prefix": "bb22"}]
    eraser = Eraser()
    first, same, other = (eraser.left("call", each)["prefix"] for each in calls)
    assert first == same != other
    assert first.startswith("erased:")
    assert "aa11" not in first
    assert Eraser().left("call", calls[0])["prefix"] != first, "nobody has the key any more"
    assert Eraser().left("call", {"prefix": first})["prefix"] == first
    assert eraser.left("call", calls[0])["prefix_tokens"] == 900


def test_the_digests_of_guard_decisions_that_older_homes_sealed_are_those_of_today() -> None:
    left = Eraser().left("guard", GUARD)
    # Made by the version before facts had types, of the same decision.
    sealed = "46755e7e221865d7614dd32a1ab8a2ffc06e46ace80b0dc8eec97fc3da7d42f0"
    assert rows.digest(rows.dump([["evt_1", 12.5, left]])) == sealed
    assert not [each for each in columns(GuardFacts) if each.erasure == "digest"], "a seal is the same at all times"


def test_a_data_subject_is_shown_what_is_marked_so() -> None:
    call = {"model": "m", "price": {"source": "contract"}, "prefix": "aa", "replica": "host", "cost_nanousd": 5, "x": 1}
    assert exported("call", call) == {"model": "m", "cost_nanousd": 5, "x": 1}
    hits = {"hits": [{"document_id": "d", "y": 2}], "reading": None}
    assert exported("retrieval", hits) == hits


def test_the_ledger_adds_up_what_is_marked_so() -> None:
    lines = {each.name for each in dataclasses.fields(LedgerLine)}
    read_of_calls = {*summed(CallFacts, "sum"), *summed(CallFacts, "count")}
    assert read_of_calls == lines - {"of", "calls", "hits", "cache_saved_nanousd"}


def test_columns_have_names_types_and_marks() -> None:
    found = {each.name: each for each in columns(CallFacts)}
    assert (found["cost_nanousd"].type, found["cost_nanousd"].exported) == ("int", True)
    assert (found["finish"].type, found["ttft_s"].type) == ("list[str]", "float | null")
    assert (found["price.input"].type, found["price.input"].exported) == ("int", False)
    assert found["prefix"].erasure == "digest"
    assert "hits[].dense_rank" in {each.name for each in columns(RetrievalFacts)}
    for kind in KINDS.values():
        types = {each.type for each in columns(kind)}
        assert "any" not in types - {"dict[str, any]"}, kind


def test_each_kind_is_named_once() -> None:
    assert all(name == kind.EVENT for name, kind in KINDS.items())
    assert {each.EVENT for each in Facts.__subclasses__() if each.__name__.endswith("Facts")} >= {"call", "guard"}
    assert ReplayFacts.VERSION == AnswerFacts.VERSION == 2


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.EVENT)
def test_what_is_written_fits_its_types(kind: type[Facts]) -> None:
    assert shape(kind).misfit(filled(kind).plain()) == ""
    nothing = {field.name: None for field in shape(kind).fields}
    assert shape(kind).misfit({**nothing, "of another version": object()}) == ""


@pytest.mark.parametrize(
    ("facts", "wrong"),
    [
        ({"status": 5}, "status"),
        ({"duration_s": "long"}, "duration_s"),
        ({"duration_s": float("inf")}, "duration_s"),
        ({"duration_s": 3}, ""),
        ({"cost_nanousd": 2**70}, "cost_nanousd"),
        ({"prompt_tokens": True}, "prompt_tokens"),
        ({"groups": "staff"}, "groups"),
        ({"groups": ["staff", 1]}, "groups"),
        ({"groups": None}, ""),
        ({"regions": [["eu"], ["us", 3]]}, "regions"),
        ({"regions": [["eu"], []]}, ""),
    ],
)
def test_a_value_of_another_type_is_named(facts: Mapping[str, Any], wrong: str) -> None:
    assert shape(AnswerFacts).misfit(facts) == wrong


def test_a_value_within_a_part_is_named_with_its_place() -> None:
    hits = [{"document_id": "doc_1", "score": 0.5}, {"document_id": 7}]
    assert shape(RetrievalFacts).misfit({"hits": hits}) == "hits.document_id"
    assert shape(RetrievalFacts).misfit({"hits": hits[:1]}) == ""
