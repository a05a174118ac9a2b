"""Rerankers: late interaction and cross-encoders against numpy, remote ones against a real endpoint."""

import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from safetensors.numpy import load_file, save_file

from mainspring.core.errors import EngineError, InvalidRequest, MainspringError, ModelError, UpstreamError
from mainspring.core.path import collect
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.core.settings.endpoints import RemoteReranker as Remote
from mainspring.core.types import ChatRequest, Context, Message, Principal, RerankRequest
from mainspring.engines import builtin
from mainspring.engines.catalogue import convert
from mainspring.engines.catalogue.pull import PulledModel, Puller
from mainspring.engines.catalogue.sources import silent
from mainspring.engines.encode import bert, late_interaction
from mainspring.engines.encode.late_interaction import CombinedReranker, LateInteraction, mean_of_ranges
from mainspring.engines.encode.reranker import CrossEncoder, RemoteReranker, RerankResponder

QUERY = "How long is the guarantee on a grinder?"
PASSAGES = [
    "Parcels to the islands take three days longer.",
    "The warranty covers hand grinders for seven years when they are used at home.",
    "Staff may claim a taxi after ten in the evening.",
]


@pytest.fixture(scope="module")
def minilm() -> PulledModel:
    return Puller(Settings()).pull("all-minilm-l6-v2")


@pytest.fixture(scope="module")
def crossed(minilm: PulledModel, tmp_path_factory: pytest.TempPathFactory) -> PulledModel:
    """A cross-encoder: the embedding model's layers under a random head, converted as a pull converts it."""
    source = tmp_path_factory.mktemp("source")
    target = tmp_path_factory.mktemp("crossed")
    random = np.random.default_rng(5)
    weights = load_file(minilm.files["weights"])
    hidden = 384
    weights["pooler.dense.weight"] = random.normal(0, 0.1, (hidden, hidden)).astype(np.float32)
    weights["pooler.dense.bias"] = np.zeros(hidden, np.float32)
    weights["classifier.weight"] = random.normal(0, 0.5, (1, hidden)).astype(np.float32)
    weights["classifier.bias"] = np.array([0.3], np.float32)
    save_file(weights, source / "model.safetensors")
    for role, name in (("config", "config.json"), ("tokenizer", "tokenizer.json")):
        (source / name).write_bytes(minilm.files[role].read_bytes())
        (target / name).write_bytes(minilm.files[role].read_bytes())
    (target / "model.safetensors").write_bytes((source / "model.safetensors").read_bytes())
    job = {"step": "encoder", "name": "crossed", "head": "score", "source": str(source), "target": str(target)}
    convert.run(job, silent)
    entry = minilm.entry.model_copy(update={"name": "crossed", "kind": "reranker", "max_tokens": 64})
    files = {**minilm.files, "graph": target / "openvino_model.xml", "tokenizer": target / "tokenizer.json"}
    return dataclasses.replace(minilm, entry=entry, directory=target, files=files)


async def test_late_interaction_is_the_mean_of_the_best_cosines(minilm: PulledModel) -> None:
    reranker = LateInteraction(minilm, precision="f32")
    found = await reranker.rerank(QUERY, PASSAGES)
    encoder = bert.load(minilm.directory)
    shorter = dataclasses.replace(encoder, layers=encoder.layers - 1)
    tokenizer = reranker._tokenizer

    def tokens(text: str) -> Any:
        ids = tokenizer.encode(text).ids
        return np.concatenate([_states(shorter, ids), _states(encoder, ids)], axis=1) / np.sqrt(2)

    asked = tokens(QUERY)[1:-1]
    expected = [float((asked @ tokens(passage).T).max(1).mean()) for passage in PASSAGES]
    np.testing.assert_allclose(found.scores, expected, atol=2e-3)
    assert int(np.argmax(found.scores)) == 1
    assert found.truncated == 0
    await reranker.close()


def _states(encoder: bert.Encoder, ids: list[int]) -> Any:
    """Unit token vectors of the last layer; the first is compared with what the numpy reference says of it."""
    import openvino as ov

    model = ov.Core().compile_model(bert.build(encoder, "tokens"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    rows = model([np.array([ids], np.int64), np.ones((1, len(ids)), np.int64)])[0][0]
    first = bert.reference(encoder, "cls", ids)
    np.testing.assert_allclose(rows[0], first, atol=2e-4)
    return rows


async def test_what_was_read_before_is_not_read_again(minilm: PulledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    reranker = LateInteraction(minilm, precision="f32")
    read: list[int] = []
    run = reranker._runner.run

    async def counted(rows: Any, width: int, finish: Any = None) -> Any:
        read.append(len(rows))
        return await run(rows, width, finish)

    monkeypatch.setattr(reranker._runner, "run", counted)
    first = await reranker.rerank(QUERY, [*PASSAGES, PASSAGES[0]])
    assert read == [1, 3]
    again = await reranker.rerank(QUERY, [PASSAGES[2], PASSAGES[0], "Tea is sold in the shop."])
    assert read == [1, 3, 1]
    assert again.scores[:2].tolist() == [first.scores[2], first.scores[0]]
    assert again.tokens > sum(len(reranker._tokenizer.encode(text).ids) for text in (QUERY, PASSAGES[2], PASSAGES[0]))
    await reranker.close()


async def test_what_is_kept_is_bounded(minilm: PulledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.engines.encode.late_interaction._KEPT_BYTES", 40_000)
    reranker = LateInteraction(minilm, precision="f32")
    alone = await reranker.rerank(QUERY, PASSAGES)
    assert 0 < reranker._kept.currsize <= 40_000
    assert len(reranker._kept) < 1 + len(PASSAGES)
    # One text that is larger than all that may be kept is scored all the same.
    long = await reranker.rerank(QUERY, [PASSAGES[1] + " The river went on past the mill." * 20])
    assert 0 < long.scores[0] <= 1
    assert (await reranker.rerank(QUERY, PASSAGES)).scores.tolist() == alone.scores.tolist()
    await reranker.close()


async def test_padding_and_batches_change_no_score(minilm: PulledModel) -> None:
    reranker = LateInteraction(minilm, precision="f32")
    alone = [(await reranker.rerank(QUERY, [passage])).scores[0] for passage in PASSAGES]
    many = await reranker.rerank(QUERY, [*PASSAGES, *["A long text about rivers and mills. " * 50] * 40])
    np.testing.assert_allclose(many.scores[:3], alone, atol=1e-4)
    assert many.truncated == 40
    assert (await reranker.rerank(QUERY, [])).scores.shape == (0,)
    assert (await reranker.rerank("", PASSAGES)).scores.tolist() == [0, 0, 0]
    await reranker.close()
    with pytest.raises(EngineError, match="closed"):
        await reranker.rerank(QUERY, PASSAGES)


async def test_cross_encoder_scores_are_those_of_the_reference(crossed: PulledModel) -> None:
    reranker = CrossEncoder(crossed, precision="f32")
    found = await reranker.rerank(QUERY, PASSAGES)
    encoder = bert.load(crossed.directory)
    for passage, score in zip(PASSAGES, found.scores, strict=True):
        pair = reranker._tokenizer.encode(QUERY, passage)
        logit = float(bert.reference(encoder, "score", pair.ids, pair.type_ids)[0])
        assert score == pytest.approx(1 / (1 + np.exp(-logit)), abs=2e-3)
    assert len(set(found.scores.tolist())) == len(PASSAGES)
    await reranker.close()


async def test_long_texts_are_cut_at_their_end_and_counted(crossed: PulledModel) -> None:
    reranker = CrossEncoder(crossed, precision="f32")
    long = PASSAGES[1] + " And the river went on past the mill." * 30
    found = await reranker.rerank(QUERY * 20, [long, PASSAGES[1]])
    assert found.truncated == 1
    assert found.tokens <= 2 * crossed.entry.max_tokens
    await reranker.close()


def test_other_models_are_no_rerankers(minilm: PulledModel, crossed: PulledModel) -> None:
    with pytest.raises(ModelError, match="not a reranker"):
        CrossEncoder(minilm)
    with pytest.raises(ModelError, match="not an embedding model"):
        LateInteraction(crossed)


@pytest.fixture
async def endpoint() -> AsyncIterator[tuple[str, list[Any]]]:
    """A rerank endpoint that scores by length; a query that is a JSON document is its whole answer."""
    seen: list[Any] = []

    async def rerank(request: web.Request) -> web.Response:
        body = await request.json()
        seen.append((request.headers.get("Authorization"), body))
        if body["query"].startswith("{"):
            return web.json_response(json.loads(body["query"]))
        if body["query"] == "garbled":
            return web.Response(text="{", content_type="application/json")
        if body["query"] == "moved":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        if body["query"] == "fail":
            return web.Response(status=503, text="busy")
        results = [{"index": i, "relevance_score": len(text) / 100} for i, text in enumerate(body["documents"])]
        return web.json_response({"results": results[::-1], "usage": {"total_tokens": 12}})

    app = web.Application()
    app.router.add_post("/rerank", rerank)
    app.router.add_post("/elsewhere", rerank)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/rerank", seen
    await runner.cleanup()


async def test_a_remote_reranker(endpoint: tuple[str, list[Any]]) -> None:
    url, seen = endpoint
    reranker = RemoteReranker(Remote(url=url, model="m", api_key="k"))
    found = await reranker.rerank("q", ["a", "abc"])
    assert found.scores.tolist() == pytest.approx([0.01, 0.03])
    assert found.tokens == 12
    assert seen == [("Bearer k", {"model": "m", "query": "q", "documents": ["a", "abc"]})]
    with pytest.raises(UpstreamError, match="503: busy"):
        await reranker.rerank("fail", ["a"])
    told = len(seen)
    with pytest.raises(UpstreamError, match="answered 307"):
        await reranker.rerank("moved", ["a"])
    assert len(seen) == told + 1, "what was asked went nowhere else"
    with pytest.raises(UpstreamError, match="left out 1 of 2"):
        await reranker.rerank('{"results": [{"index": 0, "relevance_score": 1}]}', ["a", "b"])
    with pytest.raises(UpstreamError, match="no results that can be read"):
        await reranker.rerank('{"data": []}', ["a"])
    with pytest.raises(UpstreamError, match="no results that can be read"):
        await reranker.rerank('{"results": [{"index": -1, "relevance_score": 1}]}', ["a"])
    with pytest.raises(UpstreamError, match="no results that can be read"):
        await reranker.rerank('{"results": [{"index": 0, "relevance_score": 1}], "usage": [1]}', ["a"])
    with pytest.raises(UpstreamError, match="failed: JSONDecodeError"):
        await reranker.rerank("garbled", ["a"])
    await reranker.close()
    gone = RemoteReranker(Remote(url="http://127.0.0.1:9/rerank", model="m"))
    with pytest.raises(UpstreamError, match="failed") as raised:
        await gone.rerank("q", ["a"])
    assert "127.0.0.1" not in str(raised.value), "where it is, is not for whoever asks"
    await gone.close()


def test_a_mean_of_ranges_lets_no_model_outweigh_another() -> None:
    wide, narrow = np.array([0.1, 0.3, 0.9], np.float32), np.array([0.82, 0.9, 0.8], np.float32)
    found = mean_of_ranges([wide, narrow])
    # Each places one passage first; in the middle of both ranges is the one that both place well.
    assert found.argsort().tolist() == [0, 2, 1]
    np.testing.assert_allclose([found.min(), found.max()], [0.45 + 0.45 * 0.1, 0.45 + 0.45 * 0.625], atol=1e-5)
    np.testing.assert_allclose(mean_of_ranges([wide[:1], narrow[:1]]), [(0.1 + 0.82) / 2], atol=1e-6)
    np.testing.assert_allclose(mean_of_ranges([wide, wide]), wide, atol=1e-6)
    assert mean_of_ranges([wide[:0], wide[:0]]).shape == (0,)


async def test_two_together(minilm: PulledModel) -> None:
    """The second is the same model with its prefix, so both are real and differ."""
    entry = minilm.entry.model_copy(update={"name": "other", "query_prefix": "ask: "})
    other = dataclasses.replace(minilm, entry=entry)
    parts = [LateInteraction(minilm, 1), LateInteraction(other, 1)]
    both = CombinedReranker(parts)
    await both.start()
    assert both.name == "late:all-minilm-l6-v2+other"
    assert both.fingerprint == f"{parts[0].fingerprint}+{parts[1].fingerprint}"
    assert both.pulled_at == minilm.pulled_at
    alone = [await part.rerank(QUERY, PASSAGES) for part in parts]
    found = await both.rerank(QUERY, PASSAGES)
    assert not np.allclose(alone[0].scores, alone[1].scores)
    np.testing.assert_allclose(found.scores, mean_of_ranges([each.scores for each in alone]), atol=1e-5)
    assert found.tokens == alone[0].tokens + alone[1].tokens
    assert int(found.scores.argmax()) == 1
    assert (await both.rerank(QUERY, [])).scores.shape == (0,)
    await both.close()
    with pytest.raises(EngineError, match="closed"):
        await both.rerank(QUERY, PASSAGES)


def test_settings_say_which_rerank(minilm: PulledModel) -> None:
    for named, kind, name in (
        ("late", LateInteraction, "late:all-minilm-l6-v2"),
        ("late:all-minilm-l6-v2", LateInteraction, "late:all-minilm-l6-v2"),
        ("late+all-minilm-l6-v2", LateInteraction, "late:all-minilm-l6-v2"),
    ):
        made = builtin.reranker(Settings(models=ModelsSettings(reranker=named)))
        assert isinstance(made, kind)
        assert made.name == name
    for reranker, says in (("late+bge-base-en-v1.5", "models pull bge-base-en-v1.5"), ("late:nothing-such", "")):
        with pytest.raises(MainspringError) as caught:
            builtin.reranker(Settings(models=ModelsSettings(reranker=reranker)))
        assert says in caught.value.remedy


async def test_as_a_responder(minilm: PulledModel) -> None:
    reranker = LateInteraction(minilm)
    responder = RerankResponder(reranker)
    context = Context(Principal("t", "k"))
    answer = await collect(await responder.respond(RerankRequest("late", QUERY, tuple(PASSAGES)), context))
    assert answer.scores is not None
    assert answer.scores.values.shape == (3,)
    assert answer.usage.prompt_tokens > 30
    with pytest.raises(InvalidRequest, match="answers nothing else"):
        await responder.respond(ChatRequest("late", (Message("user", "hi"),)), context)
    await reranker.close()


def test_the_catalogue_has_one(tmp_path: Path) -> None:
    entries = Puller(Settings(home=tmp_path)).catalogue
    assert entries.get("ms-marco-minilm-l6-v2").kind == "reranker"


async def test_the_tokens_of_a_prefix_are_not_compared(minilm: PulledModel) -> None:
    prefixed = minilm.entry.model_copy(update={"query_prefix": "grinder grinder grinder: "})
    with_prefix = LateInteraction(dataclasses.replace(minilm, entry=prefixed), 1)
    seen: list[int] = []
    similar = late_interaction._similar

    def counted(query: Any, passage: Any) -> float:
        seen.append(len(query))
        return similar(query, passage)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(late_interaction, "_similar", counted)
        await with_prefix.rerank("hand wheel", ["a", "b"])
    await with_prefix.close()
    assert seen == [2, 2]
