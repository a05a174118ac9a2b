"""What rules read from a text: names, what is said of them, tables, headings, and where each stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import StoreError
from mainspring.rag.graph.read.graph_model import DocumentGraph, GraphPiece
from mainspring.rag.graph.read.name_rules import names
from mainspring.rag.graph.read.rules import extract

FILM = (
    "The Long Pier (film)\n\nThe Long Pier is a 1951 drama film directed by Ada Holm, and was shot in Bergen. "
    "She lives in Oslo. The Harbour Office (HO) lent the boats; HO is part of the Port Authority."
)


def read(text: str, heading: str = "", title: str = "") -> DocumentGraph:
    return extract(text, [GraphPiece("c", 0, len(text))], [heading], title)


def said(graph: DocumentGraph) -> set[tuple[str, str, str]]:
    name = [entity.name for entity in graph.entities]
    return {(name[each.subject], each.predicate, name[each.object]) for each in graph.relations}


def kinds(graph: DocumentGraph) -> dict[str, str]:
    return {entity.name: entity.kind for entity in graph.entities}


def test_relations_between_names() -> None:
    graph = read(FILM)
    assert ("The Long Pier", "is a", "1951 drama film directed") not in said(graph)
    assert {("Long Pier", "directed by", "Ada Holm"), ("HO", "part of", "Port Authority")} <= said(graph)
    assert any(subject == "Long Pier" and predicate == "shot in" for subject, predicate, _ in said(graph))


def test_each_relation_and_mention_stands_where_it_says() -> None:
    graph = read(FILM)
    for mention in graph.mentions:
        start, end = graph.sentences[mention.sentence]
        assert start <= mention.start < mention.end <= end
    for each in graph.relations:
        sentence = FILM[each.start : each.end]
        assert graph.entities[each.object].name in sentence


def test_an_acronym_and_its_long_form_are_aliases() -> None:
    graph = read(FILM)
    pairs = {frozenset((graph.entities[a].name, graph.entities[b].name)) for a, b in graph.aliases}
    assert frozenset(("HO", "Harbour Office")) in pairs


def test_a_row_of_a_table_says_what_its_columns_are() -> None:
    text = "Rates\n\n| Zone: Austria | Express: €23.95 | Days: 3 |\n| Zone: Norway | Express: €31.00 | Days: 6 |\n"
    found = said(read(text))
    assert {("Austria", "express", "€23.95"), ("Norway", "express", "€31.00")} <= found
    assert ("Austria", "express", "€31.00") not in found


def test_codes_dates_and_amounts_have_their_kind() -> None:
    found = kinds(read("Use `retry_count` with the KG-38 from 3 May 2024 on; it costs £25 and lasts 30 days."))
    assert found["KG-38"] == "code"
    assert found["retry_count"] == "code"
    assert found["3 May 2024"] == "date"
    assert {"£25", "30 days"} <= {name for name, kind in found.items() if kind == "amount"}


def test_a_word_that_only_begins_a_sentence_is_no_name() -> None:
    assert "Employees" not in kinds(read("Employees must ask first. Nobody else may."))
    # Where it stands within one it is.
    assert "Bergen" in kinds(read("Bergen is wet. We moved to Bergen."))


def test_a_surname_stands_for_the_full_name_of_its_document() -> None:
    graph = read("We asked Ada Holm about it. Then Holm left for Oslo.")
    number = [entity.name for entity in graph.entities].index("Ada Holm")
    assert sum(mention.entity == number for mention in graph.mentions) == 2
    assert "Holm" not in kinds(graph)


def test_two_who_share_a_surname_are_not_mixed_up() -> None:
    graph = read("We asked Ada Holm and Bo Holm about it. Then Holm left for Oslo.")
    assert "Holm" in kinds(graph)


def test_headings_say_what_chunks_are_about() -> None:
    graph = read("Take ten days.", heading="Leave > Sick leave")
    names_ = [entity.name for entity in graph.entities]
    assert {names_[entity] for entity, _ in graph.about} == {"Leave", "Sick leave"}


def test_what_is_stored_comes_back() -> None:
    graph = read(FILM, heading="Films")
    assert DocumentGraph.load(graph.dump()) == graph


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"v":99}', "nonsense"])
def test_a_damaged_graph_is_an_error_that_says_how_to_mend_it(text: str) -> None:
    with pytest.raises(StoreError, match="graph build"):
        DocumentGraph.load(text)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    graph = read(text, heading="A > B", title="notes")
    assert DocumentGraph.load(graph.dump()) == graph
    for mention in graph.mentions:
        assert 0 <= mention.start < mention.end <= len(text)


@given(st.text(alphabet="Ab. cD-1'é", max_size=80))
def test_names_never_overlap_and_lie_in_the_text(text: str) -> None:
    end = 0
    for each in names(text, 0, len(text)):
        assert end <= each.start < each.end <= len(text)
        end = each.end


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Elon Musk is the CEO of X Corp.", ("Elon Musk", "ceo of", "X Corp")),
        ("The CEO of Globex is Hank Scorpio.", ("Globex", "ceo", "Hank Scorpio")),
        ("X Corp's CEO is Elon Musk.", ("X Corp", "ceo", "Elon Musk")),
        ("Globex's chief executive is Hank Scorpio.", ("Globex", "chief executive", "Hank Scorpio")),
        ("Globex is led by its CEO, Hank Scorpio.", ("Globex", "ceo", "Hank Scorpio")),
        ("Hank Scorpio, the CEO of Globex, spoke.", ("Hank Scorpio", "ceo of", "Globex")),
        ("Twitter was acquired by X Corp.", ("Twitter", "acquired by", "X Corp")),
        ("X Corp acquired Twitter in 2022.", ("X Corp", "acquired", "Twitter")),
    ],
)
def test_offices_and_owners(text: str, expected: tuple[str, str, str]) -> None:
    assert expected in said(read(text))


def test_a_plural_that_opens_a_sentence_is_no_name() -> None:
    assert "Employees" not in kinds(read("Employees are led by Ada Holm. Nobody else may."))
