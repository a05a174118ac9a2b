"""The one journey through everything that exists; each capability lengthens it.

ask -> cite -> thumbs-down with an edit -> event, all under one trace id.
"""

from __future__ import annotations

from typing import Any

import openai

from tests.conftest import HANDBOOK, Server

QUESTION = "I have to stay overnight in Leeds for work, how much can my room cost?"
EDIT = "Up to £104 a night in Leeds."


def test_journey(server: Server) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key)

    asked = client.chat.completions.with_raw_response.create(
        model="handbook", messages=[{"role": "user", "content": QUESTION}]
    )
    answer = asked.parse()
    trace_id, answer_id = asked.headers["x-trace-id"], asked.headers["x-answer-id"]
    assert answer.id == answer_id
    assert "£104" in (answer.choices[0].message.content or "")

    citations: list[dict[str, Any]] = (answer.choices[0].message.model_extra or {})["citations"]
    assert citations[0]["source"] == "travel-and-expenses.pdf"
    assert (HANDBOOK / citations[0]["source"]).exists()

    status, feedback = server.call(
        "POST", "/v1/feedback", {"answer_id": answer_id, "rating": "down", "edit": EDIT, "consent": True}
    )
    assert status == 201
    assert feedback["trace_id"] == trace_id

    status, page = server.call("GET", f"/v1/events?trace_id={trace_id}")
    events = {event["kind"]: event for event in page["data"]}
    assert {"answer", "retrieval", "feedback"} <= events.keys()
    assert events["feedback"]["parent_id"] == events["answer"]["id"]
    assert events["feedback"]["content"] == EDIT
    assert events["feedback"]["facts"]["rating"] == "down"
    assert QUESTION in events["answer"]["content"]
