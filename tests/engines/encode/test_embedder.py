"""The embedder: equality with the reference, truncation, order, priority and closing."""

import asyncio
import dataclasses
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import EngineError, ModelError
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import PulledModel, Puller
from mainspring.engines.encode import encoder
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.engines.encode.encoder import Row

# Vectors made by transformers and torch; the file says how.
REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "minilm_reference.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pulled() -> PulledModel:
    return Puller(Settings()).pull("all-minilm-l6-v2")


@pytest.fixture
async def embedder(pulled: PulledModel) -> AsyncIterator[OpenVinoEmbedder]:
    made = OpenVinoEmbedder(pulled, threads=1)
    yield made
    await made.close()


@pytest.mark.parametrize("precision", ["bf16", "f32"])
async def test_cosine_to_the_reference(pulled: PulledModel, precision: Any) -> None:
    embedder = OpenVinoEmbedder(pulled, precision=precision)
    found = await embedder.embed(REFERENCE["texts"])
    expected = np.array(REFERENCE["vectors"], np.float32)
    assert found.vectors.shape == expected.shape == (8, embedder.dimensions)
    assert (found.vectors * expected).sum(1).min() >= 0.999
    # The texts are not alike: a constant vector would not pass.
    assert (expected @ expected.T).min() < 0.2
    assert found.truncated == 1
    await embedder.close()


async def test_rows_keep_their_order_and_batches_change_nothing(embedder: OpenVinoEmbedder) -> None:
    texts = [f"Shelf {number} holds " + "bolts and paddles " * (number * 7 % 23) for number in range(90)]
    together = (await embedder.embed(texts)).vectors
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for index in (0, 41, 89):
        alone = (await embedder.embed([texts[index]])).vectors[0]
        assert float(alone @ together[index]) > 0.9999
        assert int((together @ alone).argmax()) == index


async def test_truncation_is_counted_and_cuts_the_end(embedder: OpenVinoEmbedder) -> None:
    words = "river " * 400
    found = await embedder.embed([words, words + "entirely different ending", "short"])
    assert found.truncated == 2
    assert found.tokens == 2 * embedder.max_tokens + 3
    assert float(found.vectors[0] @ found.vectors[1]) > 0.9999


async def test_strange_texts(embedder: OpenVinoEmbedder) -> None:
    texts = ["", " ", "\x00\x01", "a" * 1_000_000, "\ud800 lone surrogate", "🦀" * 50, "\n\n\n"]
    found = await embedder.embed(texts)
    assert np.isfinite(found.vectors).all()
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    assert found.truncated == 1
    assert (await embedder.embed([])).vectors.shape == (0, 384)


async def test_counting_leaves_out_special_tokens(embedder: OpenVinoEmbedder) -> None:
    assert embedder.count_tokens(["", "hello world", "hello " * 1000]) == [0, 2, 1000]
    assert embedder.count_tokens([]) == []


async def test_tokens_of_a_long_document_are_counted_some_texts_at_a_time(embedder: OpenVinoEmbedder) -> None:
    # An encoding takes a hundred bytes a token: all at once, 8 MB of tags took 772 MB, and so 22 MB.
    inner, taken = embedder._tokenizer, []

    class Counting:
        def encode_batch(self, texts: list[str], **options: Any) -> Any:
            taken.append(len(texts))
            return inner.encode_batch(texts, **options)

    embedder._tokenizer = Counting()
    texts = [f"<b/>{number % 3 * ' <c/>'}" for number in range(1000)]
    counts = embedder.count_tokens(texts)
    assert counts == [len(one.ids) for one in inner.encode_batch(texts, add_special_tokens=False)]
    assert max(taken) <= 64


async def test_prefixes_tell_queries_from_passages(pulled: PulledModel, tmp_path: Path) -> None:
    entry = pulled.entry.model_copy(update={"query_prefix": "query: ", "passage_prefix": "passage: "})
    plain = OpenVinoEmbedder(pulled)
    prefixed = OpenVinoEmbedder(dataclasses.replace(pulled, entry=entry))
    asked = (await prefixed.embed(["larch"], "query")).vectors
    np.testing.assert_allclose(asked, (await plain.embed(["query: larch"])).vectors, atol=1e-4)
    told = (await prefixed.embed(["larch"], "passage")).vectors
    np.testing.assert_allclose(told, (await plain.embed(["passage: larch"])).vectors, atol=1e-4)
    assert prefixed.fingerprint != plain.fingerprint == OpenVinoEmbedder(pulled, precision="f32").fingerprint
    await plain.close()
    await prefixed.close()


class Gate:
    """Notes each batch that is run and holds the first one until ``open``. Small requests are recent for so long."""

    def __init__(self, embedder: OpenVinoEmbedder, monkeypatch: pytest.MonkeyPatch, recent_s: float = 0.0) -> None:
        monkeypatch.setattr(encoder, "_RECENT_S", recent_s)
        self.embedder = embedder
        self.ran: list[tuple[int, int]] = []
        self.opened = threading.Event()
        self._real = encoder._infer
        monkeypatch.setattr(encoder, "_infer", self._infer)

    def _infer(self, request: Any, rows: list[Row], paired: bool) -> Any:
        self.ran.append((len(rows), max(len(row.ids) for row in rows)))
        assert self.opened.wait(30)
        return self._real(request, rows, paired)

    async def waiting(self, batches: int) -> None:
        while not self.ran or self.embedder._runner._queue.qsize() < batches:
            await asyncio.sleep(0.001)


async def test_queries_do_not_wait_for_an_ingest(embedder: OpenVinoEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    await embedder.start()
    gate = Gate(embedder, monkeypatch)
    ingest = asyncio.create_task(embedder.embed(["the wheel turned half a revolution and stopped " * 10] * 60))
    await gate.waiting(4)
    behind = embedder._runner._queue.qsize()
    query = asyncio.create_task(embedder.embed(["What is larch?"], "query"))
    await gate.waiting(behind + 1)
    gate.opened.set()
    await query
    assert gate.ran[1][0] == 1
    assert (await ingest).vectors.shape == (60, 384)
    assert len(gate.ran) == behind + 2
    assert all(texts * tokens <= encoder._BATCH_TOKENS for texts, tokens in gate.ran)


async def test_while_queries_come_an_ingest_makes_room_within_its_batches(
    embedder: OpenVinoEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"the wheel {number} turned half a revolution and stopped " * 10 for number in range(60)]
    whole = (await embedder.embed(texts)).vectors
    await embedder.start()
    gate = Gate(embedder, monkeypatch, 3600.0)
    ingest = asyncio.create_task(embedder.embed(texts))
    await gate.waiting(4)
    behind = embedder._runner._queue.qsize()
    query = asyncio.create_task(embedder.embed(["What is larch?"], "query"))
    await gate.waiting(behind + 1)
    gate.opened.set()
    await query
    first, asked = gate.ran[:2]
    assert asked[0] == 1
    assert asked[1] < 16, "the query came second, within the batch of the first"
    assert first[0] * first[1] <= encoder._SLICE_TOKENS
    # The same vectors, whichever way the batches were cut.
    assert ((await ingest).vectors * whole).sum(1).min() > 0.9999
    assert sum(count for count, _ in gate.ran) == len(texts) + 1


async def test_what_an_answer_reads_is_not_sliced_and_goes_before_an_ingest(
    embedder: OpenVinoEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await embedder.start()
    gate = Gate(embedder, monkeypatch, 3600.0)
    ingest = asyncio.create_task(embedder.embed(["the wheel turned half a revolution and stopped " * 10] * 60))
    await gate.waiting(4)
    behind = embedder._runner._queue.qsize()
    await_query = asyncio.create_task(embedder.embed(["What is larch?"], "query"))
    answer = asyncio.create_task(embedder.embed(["a sentence of some fourteen words that was found " * 2] * 90))
    await gate.waiting(behind + 3)
    gate.opened.set()
    await await_query
    await answer
    await ingest
    sizes = [count * tokens for count, tokens in gate.ran]
    # The query, then the rest of the running batch, then the answer's two batches, each whole, before the others.
    whole = [place for place, size in enumerate(sizes) if size > encoder._SLICE_TOKENS]
    assert len(whole) == 2
    assert whole[1] == whole[0] + 1
    assert whole[1] < len(sizes) // 2


@pytest.mark.parametrize(("words", "width"), [(1, 8), (6, 8), (7, 16), (14, 16), (15, 32)])
async def test_few_shapes_are_prepared_and_words_have_one(
    embedder: OpenVinoEmbedder, monkeypatch: pytest.MonkeyPatch, words: int, width: int
) -> None:
    taken: list[int] = []

    class Request:
        def infer(self, inputs: dict[str, Any]) -> None:
            taken.append(inputs["input_ids"].shape[1])

        def get_output_tensor(self, _: int) -> Any:
            return SimpleNamespace(data=np.zeros((1, 384)))

    monkeypatch.setattr(embedder._runner, "_compile", Request)
    await embedder.embed(["river " * words])
    assert taken == [width]


async def test_two_ingests_take_turns(embedder: OpenVinoEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    await embedder.start()
    gate = Gate(embedder, monkeypatch)
    one = asyncio.create_task(embedder.embed(["river " * 100] * 40))
    await gate.waiting(3)
    two = asyncio.create_task(embedder.embed(["river " * 150] * 40))
    await gate.waiting(3 + 7)
    gate.opened.set()
    await asyncio.gather(one, two)
    # Were it first come first served, one would be through before the other began.
    assert [tokens for _, tokens in gate.ran[:7]].count(152) >= 3


async def test_a_cancelled_ingest_frees_the_thread(embedder: OpenVinoEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    await embedder.start()
    count = 0
    real = encoder._infer

    def watched(request: Any, rows: list[Row], paired: bool) -> Any:
        nonlocal count
        count += 1
        return real(request, rows, paired)

    monkeypatch.setattr(encoder, "_infer", watched)
    task = asyncio.create_task(embedder.embed(["river " * 200] * 500))
    while not count:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await embedder.embed(["still there"])
    assert count < 20


async def test_what_was_unloaded_loads_again(embedder: OpenVinoEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[int] = []
    compile_ = embedder._runner._compile

    def count() -> Any:
        compiled.append(1)
        return compile_()

    monkeypatch.setattr(embedder._runner, "_compile", count)
    before = (await embedder.embed(["a text"])).vectors
    first = len(compiled)
    embedder.unload()
    # What waits is done before: a text that comes while it does finds the graph still there.
    while not embedder._runner._queue.empty():
        await asyncio.sleep(0.001)
    assert np.allclose((await embedder.embed(["a text"])).vectors, before)
    assert len(compiled) == first + 1


async def test_after_close_it_says_so(pulled: PulledModel) -> None:
    embedder = OpenVinoEmbedder(pulled)
    waiting = asyncio.create_task(embedder.embed(["river " * 200] * 1000))
    await asyncio.sleep(0.3)
    await embedder.close()
    with pytest.raises(EngineError, match="closed"):
        await waiting
    with pytest.raises(EngineError, match="closed"):
        await embedder.embed(["x"])
    await embedder.close()


async def test_a_damaged_graph_is_an_error(pulled: PulledModel, tmp_path: Path) -> None:
    graph = tmp_path / "openvino_model.xml"
    graph.write_text("<net>")
    files = {**pulled.files, "graph": graph}
    embedder = OpenVinoEmbedder(dataclasses.replace(pulled, files=files))
    with pytest.raises(ModelError, match=r"cannot be loaded.*--force"):
        await embedder.start()
    await embedder.close()


def test_only_embedding_models(pulled: PulledModel) -> None:
    other = dataclasses.replace(pulled, entry=pulled.entry.model_copy(update={"kind": "reranker"}))
    with pytest.raises(ModelError, match="not an embedding model"):
        OpenVinoEmbedder(other)
