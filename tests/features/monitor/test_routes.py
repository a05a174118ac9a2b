"""The monitor's routes on a real server: counts are shown to admins of their tenant."""

from __future__ import annotations

import time
import urllib.parse
from typing import Any

from tests.conftest import Server

CHAT = "smollm2-135m-instruct"


def quality(server: Server, **asked: Any) -> dict[str, Any]:
    status, found = server.call("GET", f"/v1/quality?{urllib.parse.urlencode(asked)}")
    assert status == 200, found
    return found


def counted(server: Server, name: str, least: int, **asked: Any) -> dict[str, Any]:
    """Quality once so many of ``name`` are counted: the monitor looks every 15 seconds."""
    end = time.monotonic() + 60
    while (found := quality(server, **asked))["total"][name] < least and time.monotonic() < end:
        time.sleep(0.5)
    assert found["total"][name] >= least, found
    return found


def test_requests_feedback_and_guards_are_counted(server: Server) -> None:
    begun = time.time() - 1
    body = {"model": CHAT, "max_tokens": 3, "messages": [{"role": "user", "content": "My mail is a@example.com"}]}
    _, headers, _ = server.raw("POST", "/v1/chat/completions", body)
    rating = {"answer_id": headers["x-answer-id"], "rating": "down"}
    assert server.call("POST", "/v1/feedback", rating)[0] == 201
    found = counted(server, "down", 1, since=begun, step=60, application=CHAT)
    assert found["applications"] == [CHAT]
    end = time.monotonic() + 60
    # Another test's may be the first that is counted.
    while headers["x-trace-id"] not in found["examples"]["down"] and time.monotonic() < end:
        time.sleep(0.5)
        found = quality(server, since=begun, step=60, application=CHAT)
    assert headers["x-trace-id"] in found["examples"]["down"]
    assert {"guard": "pii_input", "action": "redact", "kind": "email", "stage": "input"}.items() <= next(
        each for each in found["total"]["guards"] if each["guard"] == "pii_input"
    ).items()
    assert sum(row["ok"] for row in found["data"]) == found["total"]["ok"] >= 1
    status, slos = server.call("GET", f"/v1/slos?application={CHAT}")
    assert status == 200
    assert [(each["name"], each["application"]) for each in slos["data"]] == [("availability", CHAT)]
    assert slos["data"][0]["requests"] >= 1
    status, drift = server.call("GET", f"/v1/drift?application={CHAT}")
    assert (status, [each["state"] for each in drift["data"]]) == (200, ["learning"])
    status, accepted = server.call("POST", "/v1/drift/accept", {"application": CHAT})
    assert (status, accepted["application"]) == (200, CHAT)


def test_bad_questions_are_refused(server: Server) -> None:
    for path in (
        "/v1/alerts?rule=lateness",
        "/v1/quality?since=10&until=5",
        "/v1/quality?since=10&step=60",
        "/v1/alerts?state=open",
    ):
        status, body = server.call("GET", path)
        assert (status, body["error"]["code"]) == (400, "invalid_request"), path
    assert server.call("POST", "/v1/drift/accept", {"application": "nobody-knows"})[0] == 400
    assert server.call("POST", "/v1/silences", {"seconds": 0})[0] == 400
    assert server.call("DELETE", "/v1/silences/none")[0] == 404
    assert server.call("GET", "/v1/alerts/none")[0] == 404
