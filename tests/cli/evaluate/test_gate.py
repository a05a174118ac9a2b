"""``mainspring eval gate``: its exit status, its report, and answers that were recorded."""

import json

from tests.cli.command import Command, data


def files(command: Command, wrong: int, count: int = 400) -> None:
    cases = [{"id": str(n), "question": f"question {n}", "reference": "right"} for n in range(count)]
    for name, bad in (("new", wrong), ("old", 0)):
        rows = [{"id": str(n), "prediction": "wrong" if n < bad else "right"} for n in range(count)]
        (command.place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (command.place / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))


def gated(command: Command, *options: str) -> tuple[int, str]:
    done = command("eval", "gate", "cases.jsonl", "--candidate", "new.jsonl", "--incumbent", "old.jsonl", *options)
    return done.returncode, done.stdout


def test_the_exit_status_is_the_verdict(command: Command) -> None:
    files(command, wrong=200)
    status, told = gated(command, "--measure", "exact", "--report", "report.md")
    assert status == 1
    assert "new.jsonl is worse than old.jsonl" in told
    assert (command.place / "report.md").read_text() == told
    files(command, wrong=0)
    assert gated(command)[0] == 0
    files(command, wrong=0, count=3)
    assert gated(command)[0] == 3


def test_json_and_answers(command: Command) -> None:
    files(command, wrong=200)
    status, told = gated(command, "--json", "--out", "all.jsonl")
    found = data(told)
    assert (status, found["verdict"]) == (1, "worse")
    rows = [json.loads(line) for line in (command.place / "all.jsonl").read_text().splitlines()]
    assert len(rows) == found["cases"] == 400 - found["spared"]
    assert {"id", "prediction", "score", "incumbent", "incumbent_score"} == set(rows[0])


def test_an_answer_that_is_missing_is_named(command: Command) -> None:
    files(command, wrong=0)
    (command.place / "new.jsonl").write_text('{"id": "0", "prediction": "right"}\n')
    done = command("eval", "gate", "cases.jsonl", "--candidate", "new.jsonl", "--incumbent", "old.jsonl")
    assert done.returncode == 1
    assert "new.jsonl has no prediction for the case" in done.stderr
