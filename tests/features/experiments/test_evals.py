"""OpenAI's evals with its own client, in process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai.types.evals.runs import OutputItemListResponse

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Principal, TraceParent
from mainspring.features.experiments.evals import routes
from mainspring.features.experiments.evals.store import EvalStore
from mainspring.gateway.edge.app import create_app
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from tests.features.experiments.world import Lab, lab, sums
from tests.gateway.asgi import Kept

SCHEMA = {"type": "object", "properties": {"question": {"type": "string"}, "answer": {"type": "string"}}}
CHECK: Any = {
    "type": "string_check",
    "name": "same",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.answer }}",
    "operation": "eq",
}
ITEMS = [{"item": {"question": e.question, "answer": e.references[0]}} for e in sums(3)]


class Keys:
    def __init__(self, who: Principal) -> None:
        self._who = who

    async def authenticate(self, secret: str) -> Principal:
        return self._who


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(home: Lab) -> AsyncIterator[openai.AsyncOpenAI]:
    settings = GatewaySettings()
    access = access_to(Keys(home.who), settings.request_timeout_s)
    store = EvalStore(home.rooms.stores.database, 10)
    app = create_app(
        [routes.router(home.experiments, store, access, Idempotency(Kept()))],
        settings,
        lambda header: TraceParent.new(),
    )
    transport = httpx2.ASGITransport(app=app)
    async with openai.AsyncOpenAI(
        base_url="http://127.0.0.1/v1", api_key="ms-all", http_client=httpx2.AsyncClient(transport=transport)
    ) as made:
        yield made


async def defined(client: openai.AsyncOpenAI, *criteria: Any) -> Any:
    config: Any = {"type": "custom", "item_schema": SCHEMA, "include_sample_schema": True}
    return await client.evals.create(
        name="sums", data_source_config=config, testing_criteria=list(criteria) or [CHECK], metadata={"team": "a"}
    )


async def test_a_run_samples_grades_and_lists_its_items(home: Lab, client: openai.AsyncOpenAI) -> None:
    made = await defined(client)
    assert (made.object, made.name, made.metadata) == ("eval", "sums", {"team": "a"})
    assert made.data_source_config.type == "custom"
    template: Any = [{"role": "user", "content": "{{item.question}}"}]
    items: Any = [*ITEMS, {"item": {"question": "Why?", "answer": "Because."}}]
    run: Any = await client.evals.runs.create(
        made.id,
        name="first",
        data_source={
            "type": "completions",
            "model": "good",
            "source": {"type": "file_content", "content": items},
            "input_messages": {"type": "template", "template": template},
            "sampling_params": {"max_completion_tokens": 30, "temperature": 0},
        },
    )
    assert (run.status, run.eval_id, run.result_counts.total) == ("queued", made.id, 4)
    await home.run()
    run = await client.evals.runs.retrieve(run.id, eval_id=made.id)
    counts = run.result_counts
    assert (run.status, counts.passed, counts.failed, counts.errored) == ("completed", 3, 1, 0)
    assert [(each.passed, each.failed) for each in run.per_testing_criteria_results] == [(3, 1)]
    assert run.per_model_usage[0].invocation_count == 4
    listed = [each async for each in client.evals.runs.output_items.list(run.id, eval_id=made.id, limit=2)]
    assert [each.status for each in listed] == ["pass", "pass", "pass", "fail"]
    assert listed[0].datasource_item == ITEMS[0]["item"]
    assert listed[0].sample.output[0].content == ITEMS[0]["item"]["answer"]
    assert listed[0].sample.input[0].content == ITEMS[0]["item"]["question"]
    assert listed[0].results[0].passed
    (failed,) = [e async for e in client.evals.runs.output_items.list(run.id, eval_id=made.id, status="fail")]
    again = await client.evals.runs.output_items.retrieve(failed.id, eval_id=made.id, run_id=run.id)
    assert again.datasource_item == items[3]["item"]
    assert [each.id async for each in client.evals.runs.list(made.id)] == [run.id]
    # The items are no data set of anybody's list.
    assert await home.data.versions.sets(home.who, 10) == []
    assert (await client.evals.runs.delete(run.id, eval_id=made.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.evals.runs.retrieve(run.id, eval_id=made.id)


async def test_answers_that_are_there_are_graded_without_asking(home: Lab, client: openai.AsyncOpenAI) -> None:
    lines = [{**each, "sample": {"output_text": "It is 4."}} for each in ITEMS]
    data = "\n".join(map(json.dumps, lines)).encode()
    file = await home.rooms.stores.files.add("acme", "items.jsonl", data, "evals")
    similar: Any = {
        "type": "text_similarity",
        "name": "alike",
        "input": "{{sample.output_text}}",
        "reference": "{{item.answer}}",
        "evaluation_metric": "fuzzy_match",
        "pass_threshold": 0.9,
    }
    made = await defined(client, CHECK, similar)
    source: Any = {"type": "jsonl", "source": {"type": "file_id", "id": file.id}}
    run: Any = await client.evals.runs.create(made.id, data_source=source)
    await home.run()
    run = await client.evals.runs.retrieve(run.id, eval_id=made.id)
    assert run.result_counts.passed == 1
    assert home.asked == 0
    (item, *_) = [each async for each in client.evals.runs.output_items.list(run.id, eval_id=made.id)]
    # Its type has a number for each, also where nothing was sampled.
    assert OutputItemListResponse.model_validate(item.model_dump())


async def test_models_grade_and_cancelled_runs_end(home: Lab, client: openai.AsyncOpenAI) -> None:
    home.home.serve(
        "labeller",
        lambda generation: ['{"label": "%s"}' % ("yes" if "It is 4" in generation.messages[-1].content else "no")],
    )
    home.home.serve("scorer", lambda _: ['{"result": 4}'])
    label: Any = {
        "type": "label_model",
        "name": "agrees",
        "model": "labeller",
        "labels": ["yes", "no"],
        "passing_labels": ["yes"],
        "input": [{"role": "user", "content": "Is {{sample.output_text}} right?"}],
    }
    score: Any = {
        "type": "score_model",
        "name": "stars",
        "model": "scorer",
        "range": [1, 5],
        "pass_threshold": 3,
        "input": [{"role": "user", "content": {"type": "input_text", "text": "Stars for {{sample.output_text}}?"}}],
    }
    made = await defined(client, label, score)
    content: Any = [{**ITEMS[0], "sample": {"output_text": t}} for t in ("It is 4.", "Nobody knows.")]
    source: Any = {"type": "jsonl", "source": {"type": "file_content", "content": content}}
    run: Any = await client.evals.runs.create(made.id, data_source=source)
    await home.run()
    items = [each async for each in client.evals.runs.output_items.list(run.id, eval_id=made.id)]
    assert [[(r.passed, r.score) for r in each.results] for each in items] == [
        [(True, 1.0), (True, 4.0)],
        [(False, 0.0), (True, 4.0)],
    ]
    run = await client.evals.runs.create(made.id, data_source=source)
    await client.evals.runs.cancel(run.id, eval_id=made.id)
    await home.run()
    assert (await client.evals.runs.retrieve(run.id, eval_id=made.id)).status == "canceled"


async def test_recorded_answers_are_a_source(home: Lab, client: openai.AsyncOpenAI) -> None:
    await home.say("How long?", "Two years.", model="chat-1")
    await home.say("How wide?", "A metre.", model="chat-2")
    check: Any = {**CHECK, "reference": "years", "operation": "like"}
    made = await defined(client, check)
    source: Any = {"type": "completions", "source": {"type": "stored_completions", "model": "chat-1"}}
    run: Any = await client.evals.runs.create(made.id, data_source=source)
    await home.run()
    run = await client.evals.runs.retrieve(run.id, eval_id=made.id)
    assert (run.result_counts.total, run.result_counts.passed) == (1, 1)
    source["source"]["metadata"] = {"team": "a"}
    with pytest.raises(openai.BadRequestError, match="metadata"):
        await client.evals.runs.create(made.id, data_source=source)


async def test_what_is_not_run_is_refused_by_name(client: openai.AsyncOpenAI) -> None:
    python: Any = {"type": "python", "name": "mine", "source": "def grade(sample, item): return 1.0"}
    with pytest.raises(openai.BadRequestError, match="python are not run here"):
        await defined(client, python)
    with pytest.raises(openai.BadRequestError, match="operation must be one of"):
        await defined(client, {**CHECK, "operation": "almost"})
    made = await defined(client)
    assert [each.id async for each in client.evals.list()] == [made.id]
    assert (await client.evals.update(made.id, name="other")).name == "other"
    source: Any = {"type": "jsonl", "source": {"type": "file_content", "content": [{"question": "no item"}]}}
    with pytest.raises(openai.BadRequestError, match="item 1 is not an object"):
        await client.evals.runs.create(made.id, data_source=source)
    assert (await client.evals.delete(made.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.evals.retrieve(made.id)
