"""The loss from the served numeric form: perplexity, and the likeliest next token, compared with the source weights.

    python benchmarks/numeric_form.py MODEL SOURCE.gguf

``MODEL`` is a pulled chat model, ``SOURCE.gguf`` its file as its authors publish it. Both read the text of the pull's
gate once. The source is dequantised and computed in float32 by ``engines.catalogue.reference_forward``; the pulled IR
runs in bf16, as it is served, and in float32. ``agreement`` is the share of places at which the likeliest token is
the same: what a greedy answer is made of, where perplexity is a mean. The cache of keys and values is not rounded to
8 bits here; the gate does that.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov

from _report import Figure, report
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.perplexity import TEXT
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.catalogue.reference_forward import ForwardResult, Reference

FORMS = ("bf16", "f32")


def served(graph: Path, ids: Sequence[int], precision: str) -> ForwardResult:
    """What the IR at ``graph`` makes of ``ids`` in ``precision``."""
    model = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    count = len(ids)
    inputs = {
        "input_ids": np.array([ids], np.int64),
        "attention_mask": np.ones((1, count), np.int64),
        "position_ids": np.arange(count, dtype=np.int64)[None],
        "beam_idx": np.zeros(1, np.int32),
    }
    logits = np.asarray(model(inputs)[0][0][:-1], np.float32)
    highest = logits.max(axis=1)
    totals = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    likelihoods = logits[np.arange(count - 1), np.array(ids[1:])] - totals
    return ForwardResult(float(np.exp(-likelihoods.mean(dtype=np.float64))), tuple(map(int, logits.argmax(axis=1))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("source", type=Path)
    options = parser.parse_args()
    pulled = Puller(Settings()).local(options.model)
    weights = GgufWeights(options.source)
    tokenizer = weights.tokenizer()
    assert tokenizer is not None
    ids = tokenizer.encode(TEXT).ids
    source = Reference(weights).read(ids)
    figures = {"perplexity: source in float32": Figure(round(source.perplexity, 3), "", "lower")}
    for form in FORMS:
        found = served(pulled.files["ir"] / "openvino_model.xml", ids, form)
        same = float(np.mean(np.array(found.top) == np.array(source.top)))
        places = f"{len(source.top)} places"
        figures[f"perplexity: served in {form}"] = Figure(round(found.perplexity, 3), "", "lower", against=places)
        figures[f"agreement: served in {form}"] = Figure(round(same, 4), "of 1", "higher", against=places)
    report(f"numeric_form-{options.model}", figures)


if __name__ == "__main__":
    main()
