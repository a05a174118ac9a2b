"""The rows of each kind of export: what they say, and what they are made of."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.features.lake.exports.sets import conversations, passages
from mainspring.features.lake.exports.sets.rows import Options, check_kind
from mainspring.training.encoders.data.rows import reading
from tests.features.lake.world_of_rows import grounded, interaction


def test_an_edit_takes_the_place_of_the_answer_and_a_bad_answer_is_left_out() -> None:
    rows = [
        interaction("a", "Is it open?", "No."),
        interaction("b", "Is it late?", "No.", edited="It is ten past six."),
        interaction("c", "Is it far?", "Maybe.", thumb="down"),
        interaction("d", "Is it empty?", "  "),
    ]
    made = list(conversations.sft(rows, Options()))
    assert [row.body["messages"][-1] for row in made] == [
        {"role": "assistant", "content": "No."},
        {"role": "assistant", "content": "It is ten past six."},
    ]
    assert made[1].event_ids == ("ans_b", "call_b")
    assert [row.answers for row in conversations.sft(rows, Options(good=True))] == [("ans_b",)]


def test_tool_calls_are_written_as_openai_writes_them() -> None:
    call = {"id": "c1", "name": "clock", "arguments": "{}"}
    said = (
        {"role": "user", "content": [{"type": "text", "text": "What time is it?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "six", "tool_call_id": "c1"},
    )
    (row,) = conversations.sft([interaction("a", "", "It is six.", messages=said)], Options())
    assert row.body["messages"][1]["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    ]
    assert row.body["messages"][2] == {"role": "tool", "content": "six", "tool_call_id": "c1"}


def test_preferences_come_of_edits_regenerations_votes_and_experiments() -> None:
    rows = [
        interaction("edit", "Say a.", "A wrong.", edited="A right."),
        interaction("first", "Say b.", "B first.", regenerated="ans_second", session_id="s"),
        interaction("second", "Say b.", "B second.", session_id="s"),
        interaction("left", "Say c.", "C left."),
        interaction("right", "Say c.", "C right."),
        interaction("control", "Say d.", "D control.", arm="control"),
        interaction("treated", "Say  D.", "D treated.", arm="treated"),
    ]
    votes = [
        {"id": "v1", "winner": "right", "left": "ans_left", "right": "ans_right"},
        {"id": "v2", "winner": "tie", "left": "ans_left", "right": "ans_right"},
        {"id": "v3", "winner": "left", "left": "ans_gone", "right": "ans_right"},
    ]
    outcomes = [
        {"id": "o1", "answer": "ans_control", "value": 1.0},
        {"id": "o2", "answer": "ans_treated", "value": 0.0},
    ]
    made = {row.origin: row for row in conversations.preference(rows, Options(), votes, outcomes)}
    said = {
        origin: (row.body["chosen"][0]["content"], row.body["rejected"][0]["content"]) for origin, row in made.items()
    }
    assert said == {
        "edit": ("A right.", "A wrong."),
        "regeneration": ("B second.", "B first."),
        "vote": ("C right.", "C left."),
        "experiment": ("D control.", "D treated."),
    }
    assert made["vote"].event_ids == ("ans_right", "call_right", "ans_left", "call_left", "v1")
    assert made["experiment"].event_ids[-2:] == ("o1", "o2")
    assert made["regeneration"].answers == ("ans_second", "ans_first")


def test_a_regenerated_answer_that_was_liked_or_followed_by_a_disliked_one_is_no_preference() -> None:
    liked = [
        interaction("a", "Say it.", "One.", regenerated="ans_b", thumb="up"),
        interaction("b", "Say it.", "Two."),
    ]
    disliked = [
        interaction("a", "Say it.", "One.", regenerated="ans_b"),
        interaction("b", "Say it.", "Two.", thumb="down"),
    ]
    assert not list(conversations.preference(liked, Options()))
    assert not list(conversations.preference(disliked, Options()))


def test_thumbs_become_labels() -> None:
    rows = [interaction("a", "Q?", thumb="up"), interaction("b", "Q?", thumb="down"), interaction("c", "Q?")]
    assert [row.body["label"] for row in conversations.thumbs(rows, Options())] == [True, False]


def test_shots_are_approved_answers_of_other_sessions() -> None:
    good = [interaction(f"g{number}", f"Question {number}?", thumb="up", session_id="s") for number in range(3)]
    other = [interaction(f"o{number}", f"Other {number}?", thumb="up") for number in range(3)]
    made = list(conversations.few_shot([*good, *other], Options(shots=3, seed=4)))
    for row in made:
        shown = {each["input"] for each in row.body["examples"]}
        assert row.body["test_input"] not in shown
        assert len(row.answers) == 4
        if row.body["test_input"].startswith("Question"):
            assert shown == {"Other 0?", "Other 1?", "Other 2?"}
    assert len(made) == 6
    assert made == list(conversations.few_shot([*good, *other], Options(shots=3, seed=4)))


def test_classes_are_values_of_a_named_field() -> None:
    rows = [
        interaction("a", "Where?", refused=True),
        interaction("b", "When?", refused=False),
        interaction("c", "Who?"),
    ]
    made = list(conversations.classification(rows, Options(label="refused")))
    assert [(row.body["text"], row.body["label"]) for row in made] == [("Where?", "refused"), ("When?", "answered")]
    with pytest.raises(InvalidRequest, match="not a label"):
        list(conversations.classification(rows, Options(label="subject")))


def test_raft_shows_the_oracle_among_distractors_and_the_answer_cites_it_where_it_stands() -> None:
    rows = grounded(40)
    made = list(passages.raft(rows, Options(distractors=3, keep_oracle=0.8, seed=1)))
    shown = [row for row in made if row.body["oracle"]]
    assert 24 <= len(shown) <= 38
    for row in shown:
        place = row.body["documents"].index(row.body["oracle"][0]) + 1
        assert f"[{place}]" in row.body["answer"]
        assert len(row.body["documents"]) == 4
    for row in (each for each in made if not each.body["oracle"]):
        assert "[" not in row.body["answer"]
    # Of the other questions whose passages are distractors, too.
    assert all(len(row.answers) > 1 for row in made)


def test_raft_refuses_where_the_answer_did() -> None:
    rows = [*grounded(5), interaction("r", "What is love?", "I cannot say.", refused=True, passages=("About boats.",))]
    (row,) = [each for each in passages.raft(rows, Options()) if each.origin == "refusal"]
    assert row.body["answer"] == passages.REFUSAL
    assert row.body["oracle"] == []


def test_negatives_are_no_passages_that_the_answer_cites() -> None:
    rows = grounded(12)
    cited = {row.passages[0] for row in rows}
    for row in passages.triplets(rows, Options()):
        assert row.body["positive"] in cited
        assert row.body["negative"] not in passages.cited(rows[int(row.answers[0].removeprefix("ans_"))])
    pairs = [row.body for row in passages.rerank(rows, Options(distractors=2))]
    assert sum(pair["label"] for pair in pairs) == 12
    assert len(pairs) == 36


def test_pairs_for_entailment_have_the_cited_passage_or_one_of_another_question() -> None:
    made = [row.body for row in passages.nli(grounded(6), Options())]
    assert {pair["label"] for pair in made} == {"entailment", "neutral"}
    for pair in made:
        assert "[" not in pair["hypothesis"]
        number = pair["hypothesis"].split()[1]
        assert (f" {number}" in pair["premise"]) == (pair["label"] == "entailment")


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_kind("poems")
    assert "preference" in str(caught.value.remedy)


def test_readers_learn_which_passage_answers_by_what_people_kept_of_it() -> None:
    shown = ("It opens at ten. It is red.", "It closes at six.", "The cellar is dry.")
    cites = {"passages": shown, "cited": (1, 2)}
    rows = [
        interaction("quoted", "When is it open?", "It opens at ten. [1] Until six. [2]", **cites),
        interaction(
            "kept",
            "When does it open?",
            "It opens at ten. [1] It closes at six. [2]",
            edited="At 10. It opens at ten.",
            **cites,
        ),
        interaction("lost", "Is it open?", "It opens at ten. [1]", edited="Ask us.", passages=shown, cited=(1,)),
        interaction("bad", "Who opens it?", "It opens at ten. [1]", thumb="down", passages=shown, cited=(1,)),
        interaction(
            "near", "When was it built?", "The documents do not say.", refused=True, thumb="up", passages=shown[:2]
        ),
        interaction("unsure", "Who built it?", "The documents do not say.", refused=True, passages=shown[:2]),
    ]
    made = list(passages.reader(rows, Options(distractors=1)))
    said = [
        (row.answers[0], row.origin, row.body["passage"], row.body["answer"], row.body["answerable"]) for row in made
    ]
    assert said == [
        ("ans_quoted", "cited", shown[0], "It opens at ten.", True),
        ("ans_quoted", "cited", shown[1], "", True),
        ("ans_quoted", "shown", shown[2], "", False),
        ("ans_kept", "edit", shown[0], "It opens at ten.", True),
        ("ans_kept", "shown", shown[2], "", False),
        ("ans_near", "refusal", shown[0], "", False),
    ]
    assert all(reading(row.body, "train:1").answerable == row.body["answerable"] for row in made)


def test_what_people_cut_answers_nothing_and_what_the_documents_do_not_say_neither() -> None:
    shown = ("It opens at ten.", "The cellar is dry.", "It was red until 1964, when somebody painted it green.")
    cites: dict[str, Any] = {
        "answer": "It opens at ten. [1] The cellar is dry. [2] It was red until 1964. [3]",
        "passages": shown,
    }
    cites |= {"cited": (1, 2, 3), "thumb": "down"}
    rows = [
        interaction("cut", "When does it open?", edited="It opens at ten.", **cites),
        interaction("shorter", "When was it red?", edited="The cellar is dry. It was red until 1964.", **cites),
        interaction("near", "When was it built?", edited="The documents do not say so.", **cites),
        interaction("other", "Who built it?", edited="Ask us.", **cites),
        interaction("bad", "Who opens it?", **cites),
    ]
    read = [
        (row.answers[0], row.origin, shown.index(row.body["passage"]), row.body["answerable"])
        for row in passages.reader(rows, Options(distractors=0))
    ]
    # Half of the third is in the edit: it was made shorter, and not cut.
    assert read == [
        ("ans_cut", "edit", 0, True),
        ("ans_cut", "cut", 1, False),
        ("ans_cut", "cut", 2, False),
        ("ans_shorter", "edit", 1, True),
        ("ans_shorter", "cut", 0, False),
        ("ans_near", "cut", 0, False),
        ("ans_near", "cut", 1, False),
        ("ans_near", "cut", 2, False),
    ]
    pairs = [
        (row.answers[0], row.origin, shown.index(row.body["passage"]), bool(row.body["label"]))
        for row in passages.rerank(rows, Options(distractors=0))
    ]
    assert pairs == read


def test_an_edit_in_other_words_that_nobody_disliked_is_about_what_was_cited() -> None:
    cites = {"passages": ("It opens at ten.", "It is dry."), "cited": (1,)}
    rows = [interaction("written", "When?", "At ten. [1]", edited="From ten on.", **cites)]
    found = [(row.origin, row.body["label"]) for row in passages.rerank(rows, Options(distractors=1))]
    assert found == [("edit", 1), ("shown", 0)]
    assert not list(passages.reader(rows, Options(distractors=1)))


def test_what_nobody_said_anything_about_is_left_out_if_that_is_wanted() -> None:
    cites = {"passages": ("It opens at ten.",), "cited": (1,)}
    answer = "It opens at ten. [1]"
    rows = [
        interaction("silent", "When?", answer, **cites),
        interaction("liked", "When does it open?", answer, thumb="up", **cites),
        interaction("edited", "When is it open?", answer, edited="It opens at ten.", **cites),
    ]
    for kind in (passages.reader, passages.rerank):
        every, good = (kind(rows, Options(distractors=0, good=good)) for good in (False, True))
        assert [row.answers[0] for row in every] == ["ans_silent", "ans_liked", "ans_edited"]
        assert [row.answers[0] for row in good] == ["ans_liked", "ans_edited"]
