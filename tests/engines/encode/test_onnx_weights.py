"""int8 encoders in ONNX: a made-up one against plain numpy, those of the catalogue against their own graphs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from mainspring.core.errors import ModelError, ModelNotPulled
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.entries import Catalogue, ModelEntry
from mainspring.engines.catalogue.pull import PulledModel, Puller
from mainspring.engines.encode import bert, onnx_weights
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.engines.encode.reranker import CrossEncoder

HIDDEN, INNER, WORDS = 64, 96, 50
RERANKER, EMBEDDER = "ms-marco-minilm-l12-v2-int8", "bge-small-en-v1.5-int8"
# Logits and vectors of the ONNX graphs, run one text at a time by OpenVINO in float32.
REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "onnx_reference.json").read_text(encoding="utf-8"))
KINDS = {"float32": 1, "uint8": 2, "int8": 3}


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def part(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name: str, values: NDArray[Any], *, packed: bool = True) -> bytes:
    dims = b"".join(varint(1 << 3) + varint(size) for size in values.shape)
    kind = varint(2 << 3) + varint(KINDS[str(values.dtype)])
    data = part(9, values.tobytes())
    if not packed and values.dtype == np.float32:
        data = part(4, values.tobytes())
    elif not packed:
        data = part(5, b"".join(varint(int(value)) for value in values.ravel()))
    return part(5, dims + kind + part(8, name.encode()) + data)


def node(kind: str, name: str, *inputs: str) -> bytes:
    content = b"".join(part(1, each.encode()) for each in inputs)
    return part(1, content + part(2, b"out") + part(3, name.encode()) + part(4, kind.encode()))


class Made:
    """The parts of a random file, and what its weights stand for, worked out one by one."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(7)
        self.parts = [node("Add", "/bert/encoder/layer.0/output/Add", "a", "b")]
        self.expected: dict[str, Any] = {}

    def table(self, name: str, rows: int) -> None:
        integers = self.random.integers(0, 256, (rows, HIDDEN)).astype(np.uint8)
        self.parts += [tensor(f"bert.{name}_quantized", integers)]
        self.parts += [tensor(f"bert.{name}_scale", np.array(0.003, np.float32), packed=False)]
        self.parts += [tensor(f"bert.{name}_zero_point", np.array(86, np.uint8), packed=False)]
        self.expected[name] = (integers.astype(np.float64) - 86) * np.float32(0.003)

    def linear(self, layer: str, outputs: int, inputs: int, gemm: bool = False) -> None:
        integers = self.random.integers(-127, 128, (inputs, outputs)).astype(np.int8)
        scale = self.random.uniform(0.001, 0.002, outputs).astype(np.float32)
        stem = f"onnx::MatMul_{len(self.parts)}"
        bias = self.random.normal(0, 0.1, outputs).astype(np.float32)
        self.parts += [tensor(f"{stem}_quantized", integers), tensor(f"{stem}_scale", scale)]
        self.parts += [tensor(f"{stem}_zero_point", np.zeros(outputs, np.int8)), tensor(f"bert.{layer}.bias", bias)]
        path = f"/bert/{layer.replace('.', '/').replace('layer/0', 'layer.0')}/{'Gemm_' if gemm else ''}MatMul_quant"
        self.parts += [node("MatMulInteger", path, "x", f"{stem}_quantized", "zx", f"{stem}_zero_point")]
        self.expected |= {f"{layer}.weight": (integers * scale.astype(np.float64)).T, f"{layer}.bias": bias}

    def norm(self, name: str) -> None:
        for each in ("weight", "bias"):
            self.expected[f"{name}.{each}"] = self.random.normal(1, 0.1, HIDDEN).astype(np.float32)
            self.parts += [tensor(f"bert.{name}.{each}", self.expected[f"{name}.{each}"])]

    def write(self, path: Path) -> Path:
        path.write_bytes(varint(1 << 3) + varint(8) + part(7, b"".join(self.parts)))
        return path


@pytest.fixture
def made() -> Made:
    made = Made()
    for name, rows in (("word", WORDS), ("position", 40), ("token_type", 2)):
        made.table(f"embeddings.{name}_embeddings.weight", rows)
    made.norm("embeddings.LayerNorm")
    layer = "encoder.layer.0"
    for each in ("query", "key", "value"):
        made.linear(f"{layer}.attention.self.{each}", HIDDEN, HIDDEN)
    made.linear(f"{layer}.attention.output.dense", HIDDEN, HIDDEN)
    made.linear(f"{layer}.intermediate.dense", INNER, HIDDEN)
    made.linear(f"{layer}.output.dense", HIDDEN, INNER)
    for each in ("attention.output.LayerNorm", "output.LayerNorm"):
        made.norm(f"{layer}.{each}")
    made.linear("pooler.dense", HIDDEN, HIDDEN, gemm=True)
    made.linear("classifier", 1, HIDDEN, gemm=True)
    return made


def test_weights_are_what_the_integers_stand_for(made: Made, tmp_path: Path) -> None:
    onnx_weights.unpack(made.write(tmp_path / "model.onnx"), tmp_path / "out")
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert set(found) == set(made.expected)
    for name, values in made.expected.items():
        np.testing.assert_allclose(found[name].astype(np.float64), values, rtol=6e-4, atol=1e-7, err_msg=name)
    encoder = bert.load(tmp_path / "out")
    assert (encoder.layers, encoder.heads, encoder.hidden) == (1, 1, HIDDEN)
    assert bert.reference(encoder, "score", [1, 2, 3]).shape == (1,)


@pytest.mark.parametrize("cut", [0, 1, 100, 2000, 20000])
def test_what_is_damaged_is_refused(made: Made, tmp_path: Path, cut: int) -> None:
    source = made.write(tmp_path / "model.onnx")
    source.write_bytes(source.read_bytes()[:cut])
    with pytest.raises(ModelError, match="cannot be read as an int8 encoder"):
        onnx_weights.unpack(source, tmp_path / "out")


def test_what_lacks_a_matrix_is_refused(made: Made, tmp_path: Path) -> None:
    made.parts = [each for each in made.parts if b"output/dense/MatMul_quant" not in each]
    with pytest.raises(ModelError, match=r"weights of encoder\.layer\.0\.attention\.output\.dense"):
        onnx_weights.unpack(made.write(tmp_path / "model.onnx"), tmp_path / "out")


def test_the_catalogue_says_what_such_files_need() -> None:
    for name in (RERANKER, EMBEDDER):
        entry = Catalogue.load(Settings()).get(name)
        assert all(file.sha256 for file in entry.files)
        fields = entry.model_dump()
        with pytest.raises(ValueError, match=r"files must include tokenizer\.json"):
            ModelEntry.model_validate({**fields, "files": fields["files"][:1]})
        with pytest.raises(ValueError, match="of layout models is onnx"):
            ModelEntry.model_validate({**fields, "convert": ["detector"]})


def pulled(name: str) -> PulledModel:
    try:
        return Puller(Settings()).local(name)
    except ModelNotPulled as error:
        pytest.skip(f"{error.message}: {error.remedy}")


async def test_the_reranker_scores_as_its_own_graph_does() -> None:
    """The graph of the file rounds activations to eight bits, which moves a logit by about a tenth."""
    reranker = CrossEncoder(pulled(RERANKER))
    for question, pairs in REFERENCE["logits"].items():
        found = (await reranker.score(question, [text for text, _ in pairs])).scores
        expected = [logit for _, logit in pairs]
        np.testing.assert_allclose(found, expected, atol=0.4)
        relevant = [logit > 0 for logit in expected]
        assert [score > 0 for score in found] == relevant
    await reranker.close()


async def test_a_score_does_not_depend_on_its_neighbours() -> None:
    reranker = CrossEncoder(pulled(RERANKER), precision="f32")
    question, pairs = next(iter(REFERENCE["logits"].items()))
    texts = [text for text, _ in pairs]
    together = (await reranker.score(question, [*texts, " ".join(texts * 6)])).scores[: len(texts)]
    alone = [float((await reranker.score(question, [text])).scores[0]) for text in texts]
    np.testing.assert_allclose(together, alone, atol=2e-4)
    probabilities = (await reranker.rerank(question, texts)).scores
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-np.array(alone))), atol=1e-4)
    assert (await reranker.score(question, [])).scores.shape == (0,)
    await reranker.close()


async def test_the_embedder_gives_the_vectors_of_its_own_graph() -> None:
    embedder = OpenVinoEmbedder(pulled(EMBEDDER))
    texts = list(REFERENCE["vectors"])
    found = (await embedder.embed(texts, "passage")).vectors
    expected = np.array([REFERENCE["vectors"][text] for text in texts], np.float32)
    cosines = (found * expected).sum(1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.996
    await embedder.close()
