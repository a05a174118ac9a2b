"""Conversions against independent references, and children that fail."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import ConversionRejected, ModelError
from mainspring.core.settings import Settings
from mainspring.engines.catalogue import convert
from mainspring.engines.catalogue import reference_forward as reference
from mainspring.engines.catalogue.entries import Catalogue
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.perplexity import TEXT, TOLERANCE, gate
from mainspring.engines.catalogue.pull import PulledModel, Puller
from mainspring.engines.catalogue.reference_forward import Reference
from mainspring.engines.catalogue.sources import Fetcher, silent
from mainspring.engines.encode import bert
from tests.engines import tiny_models as tiny

CHAT = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def pulled() -> PulledModel:
    return Puller(Settings()).pull(CHAT)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Q4_1 file as published."""
    folder = tmp_path_factory.mktemp("original")
    return Fetcher(folder, folder / "archives").fetch(Catalogue.load(Settings()).get(CHAT).files[0])


def check(model: Path, source: Path, **more: Any) -> dict[str, Any]:
    job = {"step": "check", "name": "m", "model": str(model), "source": str(source), **more}
    return convert.run(job, silent)


def test_the_default_model_passed_the_gate(pulled: PulledModel) -> None:
    checked = pulled.manifest["checked"]
    assert checked["reference"] == pytest.approx(pulled.entry.reference_perplexity, rel=1e-4)
    assert checked["perplexity"] == pytest.approx(checked["reference"], rel=0.02)
    assert checked["tokenizer"] is True


def test_the_original_q4_1_file_in_openvino_is_rejected(original: Path, pulled: PulledModel) -> None:
    reference = pulled.entry.reference_perplexity
    with pytest.raises(ConversionRejected, match="refused") as caught:
        check(original, original, reference=reference)
    assert "llamacpp" in caught.value.remedy
    with pytest.raises(ModelError, match="does not read Q4_1 weights exactly"):
        convert.run({"step": "openvino", "source": str(original), "target": str(original.parent / "ir")}, silent)


def test_the_numpy_reference_agrees_with_the_published_implementation(original: Path, pulled: PulledModel) -> None:
    from tokenizers import Tokenizer

    ids = Tokenizer.from_file(str(pulled.files["tokenizer"])).encode(TEXT).ids
    found = Reference(GgufWeights(original)).perplexity(ids)
    assert found == pytest.approx(pulled.entry.reference_perplexity, rel=1e-4)


def test_gate() -> None:
    gate("m", 10.0 * (1 + TOLERANCE * 0.99), 10.0)
    for wrong in (10.0 * (1 + TOLERANCE * 1.01), 10.0 * (1 - TOLERANCE * 1.01), float("nan"), float("inf")):
        with pytest.raises(ConversionRejected):
            gate("m", wrong, 10.0)


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_openvino_agrees_with_the_reference_on_random_weights(
    architecture: str, vocabulary: GgufWeights, tmp_path: Path
) -> None:
    source = tiny.write_chat(tmp_path / "tiny.gguf", architecture, vocabulary)
    convert.run({"step": "openvino", "source": str(source), "target": str(tmp_path / "ir")}, silent)
    checked = check(tmp_path / "ir", source)
    # In bf16, as it is served: random weights lose more by it than trained ones.
    assert checked["perplexity"] == pytest.approx(checked["reference"], rel=0.025)
    # Another model's reference is far off: the agreement above says something.
    other = Reference(vocabulary)
    assert abs(checked["perplexity"] / other.perplexity(range(100, 130)) - 1) > TOLERANCE


def test_the_likeliest_tokens_do_not_hang_on_how_the_vocabulary_is_walked(
    vocabulary: GgufWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yardstick = Reference(GgufWeights(tiny.write_chat(tmp_path / "tiny.gguf", "llama", vocabulary)))
    found = []
    for rows in (10**9, 5000):
        monkeypatch.setattr(reference, "_ROWS", rows)
        found.append(yardstick.read(range(100, 130)))
    assert found[0].top == found[1].top
    assert len(found[0].top) == 29
    assert len(set(found[0].top)) > 1
    assert found[0].perplexity == pytest.approx(found[1].perplexity, rel=1e-5)


def test_requantising_keeps_metadata_and_values(vocabulary: GgufWeights, tmp_path: Path) -> None:
    source = tiny.write_chat(tmp_path / "tiny.gguf", "llama", vocabulary, "Q4_1")
    target = tmp_path / "q8.gguf"
    convert.run({"step": "requantise", "source": str(source), "target": str(target)}, silent)
    before, after = GgufWeights(source), GgufWeights(target)
    assert after.quantisations() == {"Q8_0", "F32"}
    assert after.hyper("context_length") == 512
    assert after.field("tokenizer.chat_template") == before.field("tokenizer.chat_template")
    for name in before.tensors:
        old, new = before.rows(name), after.rows(name)
        assert np.abs(old - new).max() <= np.abs(old).max() / 127


@pytest.mark.parametrize("keep", [0, 3, 1000, 100_000, -1000])
def test_a_truncated_gguf_is_an_error(keep: int, pulled: PulledModel, tmp_path: Path) -> None:
    whole = pulled.files["gguf"]
    damaged = tmp_path / "damaged.gguf"
    size = keep if keep >= 0 else whole.stat().st_size + keep
    with whole.open("rb") as stream:
        damaged.write_bytes(stream.read(size))
    with pytest.raises(ModelError):
        convert.run({"step": "openvino", "source": str(damaged), "target": str(tmp_path / "ir")}, silent)
    assert not (tmp_path / "ir").exists()


def test_garbage_is_an_error(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 4096)
    with pytest.raises(ModelError):
        convert.run({"step": "describe", "source": str(damaged), "tokenizer": str(tmp_path / "t.json")}, silent)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_conversion_ends_with_its_pull() -> None:
    """It would write into the files of the next one."""
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'mainspring.engines.catalogue.convert'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    # The job never comes, and its pipe is held here: nothing else ends the child.
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = Path("/proc") / parent.stdout.readline().strip()
        until = time.monotonic() + 60
        # It lowers its priority right before it asks to be ended with its parent.
        lowered = min(19, os.nice(0) + 10)
        while int((child / "stat").read_text().rpartition(")")[2].split()[16]) != lowered and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.2)
        parent.kill()
        parent.wait()
        while child.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert not child.exists()


def test_a_child_that_is_killed_or_hangs_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = sys.executable
    for body, said in (
        (f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})", "ended by SIGSEGV"),
        ("raise SystemExit('cannot go on')", "failed: cannot go on"),
        ("import time; time.sleep(60)", "took too long"),
    ):
        program = tmp_path / "python"
        program.write_text(f"#!{interpreter}\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        with pytest.raises(ModelError, match=said):
            convert.run({"step": "check"}, silent, timeout_s=2)


# --- encoders -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minilm() -> PulledModel:
    return Puller(Settings()).pull("all-minilm-l6-v2")


@pytest.mark.parametrize("head", ["mean", "cls", "score"])
def test_encoders_convert_and_agree_with_numpy(head: bert.Head, minilm: PulledModel, tmp_path: Path) -> None:
    source = tiny.write_encoder(tmp_path / "in", minilm.files["tokenizer"], 30522, score=head == "score")
    job = {"step": "encoder", "name": "m", "head": head, "source": str(source), "target": str(tmp_path / "out")}
    checked = convert.run(job, silent)
    assert checked["dimensions"] == tiny.HIDDEN
    assert checked["cosine"] > 0.9999
    assert (tmp_path / "out" / "openvino_model.bin").exists()


def test_heads_differ_and_types_matter(minilm: PulledModel, tmp_path: Path) -> None:
    encoder = bert.load(tiny.write_encoder(tmp_path / "in", minilm.files["tokenizer"], 30522, score=True))
    ids = [101, 2054, 2003, 102, 1037, 102]
    assert float(bert.reference(encoder, "mean", ids) @ bert.reference(encoder, "cls", ids)) < 0.999
    one = bert.reference(encoder, "score", ids, [0, 0, 0, 0, 1, 1])
    other = bert.reference(encoder, "score", ids)
    assert one.shape == (1,)
    assert abs(float(one[0] - other[0])) > 1e-4


def test_a_wrong_graph_is_rejected(minilm: PulledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tiny.write_encoder(tmp_path / "in", minilm.files["tokenizer"], 30522)
    real = bert.build
    monkeypatch.setattr(bert, "build", lambda encoder, head: real(encoder, "cls"))
    job = {"name": "m", "head": "mean", "source": str(source), "target": str(tmp_path / "out")}
    with pytest.raises(ConversionRejected, match="cosine"):
        convert.encoder(job, silent)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "roberta"}, "only BERT encoders"),
        ({"hidden_act": "relu"}, "only BERT encoders"),
        ({"position_embedding_type": "relative_key"}, "absolute"),
        ({"num_hidden_layers": 9}, "lacks weights"),
    ],
)
def test_what_is_no_bert_encoder_is_refused(
    change: dict[str, Any], said: str, minilm: PulledModel, tmp_path: Path
) -> None:
    source = tiny.write_encoder(tmp_path, minilm.files["tokenizer"], 30522)
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ModelError, match=said):
        bert.load(source)
