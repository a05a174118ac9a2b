"""The error tree: drawn as it is, carried over pipes, one sentence with its remedy."""

from __future__ import annotations

import pickle
import re

import pytest

from mainspring.core import errors
from mainspring.core.errors import MainspringError, RateLimited
from tests.conftest import ROOT


def tree() -> list[type[MainspringError]]:
    found, waiting = [], [MainspringError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return found


def test_the_drawing_is_the_tree() -> None:
    drawn = re.findall(r"── (\w+)\s+(\d+)\s+(\w+)", errors.__doc__ or "")
    assert {(kind.__name__, str(kind.status), kind.code) for kind in tree()[1:]} == set(drawn)


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_errors_survive_a_pipe(kind: type[MainspringError]) -> None:
    error = kind("x is wrong", remedy="Do y", param="x", retry_after=2.5)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.message, again.remedy, again.param, again.retry_after) == ("x is wrong", "Do y", "x", 2.5)


def test_the_sentence_ends_with_the_remedy() -> None:
    assert str(RateLimited("too many requests", remedy="Wait")) == "too many requests. Wait"
    assert str(RateLimited("too many requests")) == "too many requests"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "the database /var/lib/home/mainspring.db failed: disk I/O error",
            "the database mainspring.db failed: disk I/O error",
        ),
        ("the blob /var/home/blobs/ab/ab12 is damaged", "the blob ab12 is damaged"),
        ("see GET /v1/files/x and https://example.com/a/b", "see GET /v1/files/x and https://example.com/a/b"),
        ("postgresql://u@127.0.0.1:1/none failed", "postgresql://u@127.0.0.1:1/none failed"),
    ],
)
def test_clients_are_not_told_where_a_servers_files_lie(message: str, told: str) -> None:
    assert errors.StoreError(message).told == told


def test_what_a_caller_said_is_repeated_whole() -> None:
    assert errors.NotFound("there is no /srv/docs/a.md").told == "there is no /srv/docs/a.md"


def test_the_page_of_http_names_every_code() -> None:
    page = (ROOT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    table = page.partition("| Status | Codes |")[2].partition("\n\n")[0]
    told = {
        (int(status), code)
        for row in table.splitlines()
        if (cells := row.split("|"))[1:] and re.match(r" \d", cells[1])
        for status in cells[1].split(",")
        for code in re.findall(r"`(\w+)`", cells[2])
    }
    assert {(kind.status, kind.code) for kind in tree()} <= told
    assert {code for _, code in told} == {kind.code for kind in tree()}
