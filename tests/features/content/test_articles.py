"""Articles over HTTP and as a model: a whole system with scripted models."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.settings.rag import WebSearchSettings
from tests.features.content.world import LIE, Writer, attached, bicycles, ordered, until, written
from tests.search_endpoint import searches

pytestmark = pytest.mark.slow
ARTICLES = "/v1/content/articles"


def texts(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The statements of the newest version with their states."""
    sections = found["content"]["article"]["sections"]
    return [
        (one["text"], one["state"]) for each in sections for part in each["paragraphs"] for one in part["statements"]
    ]


async def test_without_a_model_an_article_is_assembled_of_cited_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        found = await written(world, red, questions=["What is the warranty of bicycle frames?"])
        article = found["content"]["article"]
        assert article["mode"] == "extractive"
        assert ("The warranty of each bicycle frame lasts ten years from the day of purchase.", "verbatim") in texts(
            found
        )
        assert {state for _, state in texts(found)} == {"verbatim"}
        assert "extractive" in [each["code"] for each in article["remarks"]]
        text = (await world.call(red, "GET", f"{ARTICLES}/{found['id']}/export")).text
        assert "assembled of sentences of its sources" in text
        assert "lasts ten years from the day of purchase. [1]" in text
        for form in ("html", "docx"):
            answer = await world.call(red, "GET", f"{ARTICLES}/{found['id']}/export?format={form}")
            assert (answer.status_code, "attachment" in answer.headers["content-disposition"]) == (200, True)
        # The quotes are the words of the stored documents, at their places.
        for each in article["evidence"]:
            source = article["sources"][each["source"] - 1]
            path = f"/v1/vector_stores/{source['collection_id']}/files/{source['file_id']}/content"
            whole = (await world.call(red, "GET", path)).json()["data"][0]["text"]
            assert whole[each["start"] : each["end"]] == each["quote"]


async def test_a_model_writes_and_what_no_source_says_is_struck_or_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = {
        "Warranty": f"The warranty of a frame lasts ten years from the purchase. [1] {LIE} [1]",
        "Weight": "A steel bicycle frame weighs about two kilograms. [1]",
    }
    writer = Writer(says)
    async with bicycles(tmp_path, monkeypatch, writer) as (world, red):
        found = await written(world, red)
        article = found["content"]["article"]
        assert (article["mode"], article["model"], article["title"]) == ("written", "large", "All about bicycle frames")
        states = dict(texts(found))
        assert states[LIE] == "struck"
        assert states["The warranty of a frame lasts ten years from the purchase."] == "supported"
        reasons = [
            one["reason"] for each in article["sections"] for part in each["paragraphs"] for one in part["statements"]
        ]
        assert any("300" in each for each in reasons)
        assert article["seo"]["title"] == "Bicycle frames and their warranty"
        assert "Mars" not in article["seo"]["description"]
        text = (await world.call(red, "GET", f"{ARTICLES}/{found['id']}/export")).text
        assert "bananas" not in text
        marked = await written(world, red, unsupported="mark")
        assert dict(texts(marked))[LIE] == "marked"
        assert "bananas. [unsupported]" in (await world.call(red, "GET", f"{ARTICLES}/{marked['id']}/export")).text
        assert found["content"]["figures"]["tokens"] > 0


async def test_a_plan_waits_is_edited_and_approved_or_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        made = await ordered(world, red, approval=True)
        waiting = await until(world, red, made["id"], "plan_pending")
        assert waiting["plan"]["sections"]
        path = f"{ARTICLES}/{made['id']}"
        assert (await world.call(world.keys["blue"], "POST", f"{path}/approve", {})).status_code == 404
        bad = {"plan": {"title": "T", "sections": [{"heading": " ", "questions": ["x"]}]}}
        assert (await world.call(red, "POST", f"{path}/approve", bad)).status_code == 400
        plan = {
            "title": "Only tyres",
            "sections": [{"heading": "Pressure", "questions": ["pressure of bicycle tyres"]}],
        }
        approved = await world.call(red, "POST", f"{path}/approve", {"plan": plan, "note": "shorter"})
        assert approved.status_code == 200, approved.text
        found = await until(world, red, made["id"], "completed")
        assert found["content"]["article"]["title"] == "Only tyres"
        assert any("four bars" in text for text, _ in texts(found))
        assert found["plan"]["origin"] == "person"
        assert (await world.call(red, "POST", f"{path}/approve", {})).status_code == 409
        other = await ordered(world, red, approval=True)
        await until(world, red, other["id"], "plan_pending")
        await world.call(red, "POST", f"{ARTICLES}/{other['id']}/deny", {"note": "no"})
        denied = await until(world, red, other["id"], "denied")
        assert (denied["version"], "content" in denied) == (0, False)


async def test_sections_are_revised_in_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        found = await written(world, red, questions=["What is the warranty of bicycle frames?"])
        path = f"{ARTICLES}/{found['id']}"
        before = texts(found)
        answer = await world.call(red, "POST", f"{path}/revise", {"section": 1, "instruction": "make it shorter"})
        assert answer.status_code == 200, answer.text
        after = texts((await world.call(red, "GET", path)).json())
        assert 0 < len(after) < len(before)
        numbers = [each["number"] for each in (await world.call(red, "GET", f"{path}/versions")).json()["data"]]
        assert numbers == [2, 1]
        first = (await world.call(red, "GET", f"{path}/export?version=1")).text
        assert before[-1][0] in first
        assert (await world.call(red, "POST", f"{path}/revise", {"section": 9, "instruction": "x"})).status_code == 400
        formal = {"section": 1, "instruction": "more formal"}
        assert (await world.call(red, "POST", f"{path}/revise", formal)).status_code == 400
        late = {"section": 1, "instruction": "make it shorter", "version": 1}
        assert (await world.call(red, "POST", f"{path}/revise", late)).status_code == 409


async def test_a_model_revises_and_is_held_against_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer({"Warranty": "The warranty of a frame lasts ten years from the purchase. [1]"})
    async with bicycles(tmp_path, monkeypatch, writer) as (world, red):
        found = await written(world, red)
        writer.says["Warranty"] = f"Frames that were raced have a warranty of two years. [1] {LIE}"
        wish = {"section": 1, "instruction": "speak of racing, more formally"}
        answer = await world.call(red, "POST", f"{ARTICLES}/{found['id']}/revise", wish)
        states = {
            one["text"]: one["state"]
            for part in answer.json()["article"]["sections"][0]["paragraphs"]
            for one in part["statements"]
        }
        assert states == {"Frames that were raced have a warranty of two years.": "supported", LIE: "struck"}


async def test_an_article_is_ordered_once_and_seen_by_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        body = {"topic": "bicycle frames", "collections": ["bikes"]}
        once = {"headers": {"idempotency-key": "k1"}}
        ids = {(await world.call(red, "POST", ARTICLES, body, **once)).json()["id"] for _ in range(2)}
        (name,) = ids
        await until(world, red, name, "completed")
        for other in ("blue", "stranger"):
            key = world.keys[other]
            assert (await world.call(key, "GET", f"{ARTICLES}/{name}")).status_code == 404
            assert (await world.call(key, "GET", f"{ARTICLES}/{name}/export")).status_code == 404
            assert name not in (await world.call(key, "GET", ARTICLES)).text
            assert (await world.call(key, "POST", ARTICLES, body)).status_code == 404
        assert (await world.call(red, "DELETE", f"{ARTICLES}/{name}")).json()["deleted"]
        assert (await world.call(red, "GET", f"{ARTICLES}/{name}")).status_code == 404


async def test_research_is_used_again_within_its_groups_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        wanted: dict[str, Any] = {"questions": ["What is the warranty of bicycle frames?"]}

        async def reads() -> int:
            """Questions whose research was not known."""
            found = await written(world, red, **wanted)
            steps = (await world.call(red, "GET", f"/v1/agents/runs/{found['run_id']}/steps")).json()["data"]
            told = [each["outcome"]["output"] for each in steps if each["name"] == "research"]
            return sum(not each["cached"] for each in told)

        assert await reads() > 0
        assert await reads() == 0
        both = world.keys["both"]
        other = await written(world, both, **wanted)
        steps = (await world.call(both, "GET", f"/v1/agents/runs/{other['run_id']}/steps")).json()["data"]
        assert not any(each["outcome"]["output"]["cached"] for each in steps if each["name"] == "research")
        store = (await world.call(red, "GET", "/v1/vector_stores")).json()["data"][0]["id"]
        from tests.features.content.world import attached

        await attached(world, red, store, "more.md", "# Bells\n\nThe bell of a bicycle is made of brass.\n")
        assert await reads() > 0


async def test_the_model_content_writes_for_any_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        ask = {
            "model": "content",
            "messages": [{"role": "user", "content": "bicycle frames"}],
            "options": {"collections": ["bikes"], "length": "short"},
        }
        answer = (await world.call(red, "POST", "/v1/chat/completions", ask)).json()
        message = answer["choices"][0]["message"]
        assert message["content"].startswith("# Bicycle frames")
        assert "Plan of" in message["reasoning_content"]
        notices = {each["code"]: each for each in message["notices"]}
        kept = (await world.call(red, "GET", f"{ARTICLES}/{notices['content_article']['id']}")).json()
        assert kept["status"] == "completed"
        wrong = {**ask, "options": {"kind": "poem"}}
        refused = await world.call(red, "POST", "/v1/chat/completions", wrong)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "options.kind")
        replay = (await world.call(red, "POST", f"/v1/agents/runs/{kept['run_id']}/replay")).json()
        assert replay["identical"], replay


async def test_limits_of_steps_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer({"Warranty": "The warranty of a frame lasts ten years from the purchase. [1]"})
    async with bicycles(tmp_path, monkeypatch, writer, draft={"tokens": 0}) as (world, red):
        found = await written(world, red)
        article = found["content"]["article"]
        assert article["mode"] == "extractive"
        assert {each["step"]: each["limit"] for each in article["costs"]}["draft"] == "tokens"
        assert not any(each.startswith("You write one") for each in writer.asked)


async def test_a_run_that_dies_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says = {"Warranty": "The warranty of a frame lasts ten years from the purchase. [1]"}
    writer = Writer(says)
    async with bicycles(tmp_path, monkeypatch, writer) as (world, red):
        made = await ordered(world, red, approval=True)
        await until(world, red, made["id"], "plan_pending")
    planned = list(writer.asked)
    async with bicycles(tmp_path, monkeypatch, writer) as (again, _):
        await again.call(red, "POST", f"{ARTICLES}/{made['id']}/approve", {})
        found = await until(again, red, made["id"], "completed")
        assert found["version"] == 1
        assert writer.asked.count("You plan an article") == planned.count("You plan an article") == 1
        assert len((await again.call(red, "GET", f"{ARTICLES}/{made['id']}/versions")).json()["data"]) == 1


async def test_what_is_erased_takes_articles_and_research_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        found = await written(world, red, user="ada")
        other = await written(world, red, user="bob")
        erased = await world.call(red, "DELETE", "/v1/subjects/ada?kind=user")
        assert erased.status_code < 300, erased.text
        async with asyncio.timeout(20):
            while (await world.call(red, "GET", f"{ARTICLES}/{found['id']}")).status_code != 404:
                await asyncio.sleep(0.05)
        assert (await world.call(red, "GET", f"{ARTICLES}/{found['id']}")).status_code == 404
        assert (await world.call(red, "GET", f"{ARTICLES}/{other['id']}")).status_code == 200


WEB = [
    ("Forks", "https://trusted.example/forks", "The suspension fork was invented by Paul Turner in the year 1989."),
    ("Forks", "https://stranger.example/forks", "The suspension fork was invented by nobody else in the year 1891."),
]
FORK = "Who invented the suspension fork?"


def origins(found: dict[str, Any]) -> set[str]:
    """The addresses and names of the sources of an article."""
    return {each["url"] or each["title"] for each in found["content"]["article"]["sources"]}


async def test_pages_of_the_web_are_sources_where_the_brief_wants_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with searches() as endpoint:
        endpoint.pages = WEB
        web = WebSearchSettings(kind="searxng", url=endpoint.url, trusted_domains=("trusted.example",))
        async with bicycles(tmp_path, monkeypatch, web_search=web) as (world, red):
            without = await written(world, red, questions=[FORK])
            assert endpoint.asked == []
            assert not origins(without) & {url for _, url, _ in WEB}
            found = await written(world, red, questions=[FORK], web=True)
            assert origins(found) >= {url for _, url, _ in WEB}
            article = found["content"]["article"]
            for each in article["evidence"]:
                source = article["sources"][each["source"] - 1]
                if not source["url"]:
                    continue
                page = next(text for _, url, text in WEB if url == source["url"])
                assert page[each["start"] : each["end"]] == each["quote"]
            text = (await world.call(red, "GET", f"{ARTICLES}/{found['id']}/export")).text
            assert "<https://trusted.example/forks>" in text
            one = await written(world, red, questions=[FORK], web=True, domains=["stranger.example"])
            assert origins(one) & {url for _, url, _ in WEB} == {WEB[1][1]}


async def test_only_trusted_sources_where_the_settings_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with searches() as endpoint:
        endpoint.pages = WEB
        web = WebSearchSettings(kind="searxng", url=endpoint.url, trusted_domains=("trusted.example",))
        trusted: dict[str, Any] = {"only_trusted": True, "trusted_collections": ["bikes"], "web": True}
        async with bicycles(tmp_path, monkeypatch, web_search=web, **trusted) as (world, red):
            store = await world.store(red, "rumours", frozenset({"red"}))
            rumour = "# Forks\n\nThe suspension fork was invented by a baker in the year 1777.\n"
            await attached(world, red, store, "rumours.md", rumour)
            brief = {"topic": "bicycle frames", "questions": [FORK], "collections": ["rumours"]}
            refused = await world.call(red, "POST", ARTICLES, brief)
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "collections")
            assert "rumours is not a trusted source" in refused.json()["error"]["message"]
            found = await written(world, red, questions=[FORK], collections=[])
            assert origins(found) & {url for _, url, _ in WEB} == {WEB[0][1]}
