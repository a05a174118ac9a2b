"""``mainspring routes``: from judged prompts to a classifier that the router takes."""

from __future__ import annotations

import json

from tests.cli.command import Command, data


def test_rows_become_a_classifier_that_explain_uses(command: Command) -> None:
    subjects = ("rivers", "poets", "bridges", "kings", "birds", "rocks", "songs", "trains", "stars", "islands")
    several = [(subject, number) for number in range(4) for subject in subjects]
    rows = [{"prompt": f"Tell me a story about {subject} number {n}", "good": True} for subject, n in several]
    rows += [{"prompt": f"Compute {n} * {len(subject)} + 7 = ? of {subject}", "good": False} for subject, n in several]
    path = command.place / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    card = data(command.said("routes", "train", path, "--out", command.place / "router.json", "--json"))
    assert (card["prompts"], card["good"]) == (80, 40)
    assert card["held_out"]["all"]["auroc"][0] > 0.95

    remote = {"large": {"url": "http://127.0.0.1:9/v1", "model": "big"}}
    settings = {
        "MAINSPRING_MODELS__REMOTE": json.dumps(remote),
        "MAINSPRING_SERVING__AUTO__POLICY": "classifier",
        "MAINSPRING_SERVING__AUTO__CLASSIFIER": str(command.place / "router.json"),
    }
    easy = data(command.said("routes", "explain", "Tell me a story about gardens", "--json", **settings))
    assert easy["model"] == "smollm2-135m-instruct"
    assert easy["by"] == "classifier"
    hard = data(command.said("routes", "explain", "Compute 12 * 3 + 1 = ?", "--json", **settings))
    assert (hard["model"], hard["score"] < 0.5) == ("large", True)


def test_failures_name_the_place(command: Command) -> None:
    assert "cannot be read" in command.failure("routes", "train", command.place / "none.jsonl")
    path = command.place / "rows.jsonl"
    path.write_text('{"prompt": "a"}\n')
    assert "line 1" in command.failure("routes", "train", path)
    said = command.failure("routes", "explain", "x", status=2, MAINSPRING_SERVING__AUTO__LARGE="smollm2-135m-instrukt")
    assert "Did you mean smollm2-135m-instruct?" in said


def test_without_feedback_there_is_nothing_to_collect(command: Command) -> None:
    assert "0 rated answers" in command.said("routes", "collect", "--out", command.place / "rows.jsonl")
