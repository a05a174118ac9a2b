"""``mainspring eval texts``: a table, JSON, and the values of each example in a file."""

import json

from tests.cli.command import Command, data


def test_texts_are_measured(command: Command) -> None:
    lines = [
        {"prediction": "the cat sat", "reference": "the cat sat", "source": "a"},
        {"prediction": "a dog ran", "references": ["a bird flew", "a dog walked"], "source": "b"},
    ]
    (command.place / "examples.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    table = command.said("eval", "texts", "examples.jsonl", "--measures", "exact,f1")
    assert "f1" in table
    found = data(command.said("eval", "texts", "examples.jsonl", "--measures", "exact,f1", "--out", "v.json", "--json"))
    exact, f1 = found["measures"]
    assert (found["examples"], exact["value"], f1["value"]) == (2, 0.5, 0.75)
    assert f1["low"] < 0.75 < f1["high"]
    assert [each["f1"] for each in json.loads((command.place / "v.json").read_text())["examples"]] == [1, 0.5]


def test_an_unknown_measure_is_named(command: Command) -> None:
    (command.place / "examples.jsonl").write_text('{"prediction": "a", "reference": "a"}\n')
    done = command("eval", "texts", "examples.jsonl", "--measures", "blue")
    assert done.returncode == 1
    assert "there is no measure blue" in done.stderr
