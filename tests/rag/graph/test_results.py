"""What a graph says, in other words."""

from __future__ import annotations

from mainspring.rag.graph.results import CitedStep, GraphResult, Path, Theme


def step(subject: str, predicate: str, thing: str, quote: str) -> CitedStep:
    return CitedStep(subject, predicate, thing, "d", "d.txt", quote, 3, 9)


def test_every_word_that_is_shown_is_changed_and_no_place() -> None:
    walked = GraphResult(
        [],
        (Path((step("a", "is", "b", "a is b"), step("b", "has", "c", "b has c")), "d", "d.1"),),
        (Theme(("a", "b"), (step("", "", "", "a and b"),), 0.5, 2, 0.25, "of a and b"),),
    )
    loud = walked.worded(str.upper)
    assert loud.paths[0].text() == "A -IS-> B -HAS-> C"
    assert [each.quote for each in loud.cited()] == ["A IS B", "B HAS C", "A AND B"]
    assert (loud.themes[0].entities, loud.themes[0].summary) == (("A", "B"), "OF A AND B")
    assert (loud.paths[0].document_id, loud.paths[0].chunk_id) == ("d", "d.1")
    assert {(each.document_id, each.source, each.start, each.end) for each in loud.cited()} == {("d", "d.txt", 3, 9)}
    assert (loud.themes[0].weight, loud.themes[0].size, loud.themes[0].score) == (0.5, 2, 0.25)
