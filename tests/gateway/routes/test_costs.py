"""Budgets and costs over HTTP, with the official client, against a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.conftest import Server

pytestmark = pytest.mark.usefixtures("one_day")
MODEL = "smollm2-135m-instruct"
ASKED = [{"role": "user", "content": "Say something."}]


@pytest.fixture
def budget(server: Server) -> Iterator[Any]:
    """Makes budgets that are gone afterwards: they would refuse other tests' requests."""
    made: list[str] = []

    def make(**fields: Any) -> dict[str, Any]:
        status, body = server.call("POST", "/v1/budgets", fields)
        assert status == 200, body
        made.append(body["id"])
        found: dict[str, Any] = body
        return found

    yield make
    for each in made:
        server.call("DELETE", f"/v1/budgets/{each}")


def test_the_life_of_a_budget(server: Server, budget: Any) -> None:
    made = budget(scope="application", subject="nobody", window="day", limit_usd=0.1, limit_tokens=5, name="lab")
    assert (made["limit_nanousd"], made["limit_tokens"], made["hard"]) == (100_000_000, 5, True)
    assert (made["spent_nanousd"], made["exceeded"]) == (0, False)
    assert made["resets_at"] > time.time()
    at = f"/v1/budgets/{made['id']}"
    assert server.call("GET", at)[1]["name"] == "lab"
    assert made["id"] in [each["id"] for each in server.call("GET", "/v1/budgets")[1]["data"]]
    status, changed = server.call("POST", at, {"limit_usd": None, "name": "other"})
    assert (status, changed["limit_usd"], changed["limit_tokens"], changed["name"]) == (200, None, 5, "other")
    for wrong in ({}, {"limit_tokens": None}, {"name": None}, {"limit": 5}, {"limit_usd": -1}):
        assert server.call("POST", at, wrong)[0] == 400, wrong
    assert server.call("DELETE", at)[1]["deleted"]
    assert server.call("GET", at)[0] == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit_usd": "0.0000000001"},
        {"limit_usd": "NaN"},
        {"limit_usd": 1e300},
        {"limit_tokens": 2**70},
        {"scope": "key", "limit_usd": 1},
        {"scope": "global", "limit_usd": 1},
        {"window": "year", "limit_usd": 1},
        {},
    ],
)
def test_what_is_no_budget_is_refused(server: Server, wrong: dict[str, Any]) -> None:
    status, body = server.call("POST", "/v1/budgets", wrong)
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")


def test_a_budget_of_tokens_refuses_as_openai_does(server: Server, budget: Any) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key)
    soft = budget(scope="application", subject=MODEL, limit_tokens=1, hard=False)
    first = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASKED, max_tokens=3)  # type: ignore[arg-type]
    spent = server.call("GET", f"/v1/budgets/{soft['id']}")[1]
    # What others of this session had asked of the model this month counted from the beginning.
    assert spent["spent_tokens"] == soft["spent_tokens"] + first.parse().usage.total_tokens  # type: ignore[union-attr]
    assert (spent["exceeded"], spent["reserved_tokens"]) == (True, 0)
    second = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASKED, max_tokens=4)  # type: ignore[arg-type]
    assert second.headers["x-mainspring-budget"] == "soft-exceeded"
    hard = budget(scope="application", subject=MODEL, limit_tokens=1, name="tiny")
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model=MODEL, messages=ASKED, max_tokens=5)  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.type) == ("budget_exceeded", "insufficient_quota")
    assert "budget tiny of this application" in str(caught.value)
    assert float(caught.value.response.headers["retry-after"]) <= hard["resets_at"] - time.time() + 2
    for stream in (True, False):
        with pytest.raises(openai.RateLimitError):
            client.completions.create(model=MODEL, prompt="x", max_tokens=5, stream=stream)


def test_no_more_tokens_than_the_header_allows(server: Server) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key)

    def ask(most: str) -> Any:
        headers = {"x-max-total-tokens": most}
        return client.chat.completions.create(model=MODEL, messages=ASKED, extra_headers=headers)  # type: ignore[arg-type]

    answer = ask("50")
    assert answer.usage.total_tokens <= 50
    for wrong in ("0", "-1", "x", "1e3", "9" * 40):
        with pytest.raises(openai.BadRequestError) as caught:
            ask(wrong)
        assert caught.value.param == "x-max-total-tokens"
    with pytest.raises(openai.BadRequestError, match="leaves nothing"):
        ask("2")


def test_costs_by_what_is_asked(server: Server) -> None:
    asked = openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key).chat.completions.with_raw_response.create(
        model=MODEL,
        messages=ASKED,  # type: ignore[arg-type]
        max_tokens=4,
    )
    usage = asked.parse().usage
    assert usage is not None
    status, page = server.call("GET", f"/v1/costs?by=model&by=application&trace_id={asked.headers['x-trace-id']}")
    assert status == 200
    (line,) = page["data"]
    assert (line["model"], line["application"], line["calls"]) == (MODEL, MODEL, 1)
    assert (line["prompt_tokens"], line["completion_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)
    assert server.call("GET", "/v1/costs?by=colour")[0] == 400
    assert server.call("GET", "/v1/costs?until=nan")[0] == 400
    assert server.call("GET", "/v1/costs?until=1")[1]["data"] == []


def test_the_official_client_reads_costs(server: Server) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, admin_api_key=server.key)
    start = int(time.time()) - 3 * 86_400
    costs = client.admin.organization.usage.costs(start_time=start, group_by=["line_item"])
    assert len(costs.data) == 4
    assert costs.data[0].start_time == start // 86_400 * 86_400
    assert not costs.has_more
    first = client.admin.organization.usage.costs(start_time=start, limit=2)
    assert first.has_more
    rest = client.admin.organization.usage.costs(start_time=start, limit=2, page=first.next_page)  # type: ignore[arg-type]
    assert [bucket.start_time for bucket in (*first.data, *rest.data)] == [bucket.start_time for bucket in costs.data]
