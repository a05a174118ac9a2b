"""What four bits a weight cost and save: perplexity, the likeliest next token and size, beside the served eight.

    python benchmarks/four_bits.py [MODEL]

The pulled file of ``MODEL`` is converted anew in both forms (``train.precision``), with the gate of conversions wide
open. Both read the text of that gate once, and so do its own weights, dequantised and computed in float32. It needs the
extra ``int4``.
"""

from __future__ import annotations

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import yaml

from _report import Figure, report, skip
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.entries import Catalogue
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.perplexity import TEXT
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.catalogue.reference_forward import Reference
from numeric_form import served

FORMS = {"int8": ["q8_0", "openvino"], "int4": ["f16", "openvino", "int4"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="smollm2-135m-instruct")
    model = parser.parse_args().model
    if find_spec("nncf") is None:
        skip("nncf is not installed: pip install 'mainspring[int4]'")
    source = Puller(Settings()).local(model).files["gguf"]
    fields = Catalogue.load(Settings()).get(model).model_dump(mode="json", exclude={"name"})
    weights = GgufWeights(source)
    tokenizer = weights.tokenizer()
    assert tokenizer is not None
    ids = tokenizer.encode(TEXT).ids
    whole = Reference(weights).read(ids)
    places = f"{len(whole.top)} places of one text; of the pulled file in float32: {whole.perplexity:.2f}"
    figures: dict[str, Figure] = {}
    for form, steps in FORMS.items():
        with tempfile.TemporaryDirectory(prefix="mainspring-bits-") as home:
            entry = {**fields, "convert": steps, "perplexity_tolerance": 0.9}
            entry["files"] = [{"name": source.name, "sources": [f"file:{source}"]}]
            catalogue = Path(home) / "catalogue.yaml"
            catalogue.write_text(yaml.safe_dump({"models": {f"bits-{form}": entry}}))
            settings = {"models": {"directory": f"{home}/models", "catalogues": [str(catalogue)]}}
            graph = Puller(Settings.model_validate(settings)).pull(f"bits-{form}").files["ir"] / "openvino_model.xml"
            found = served(graph, ids, "bf16")
            size = graph.with_suffix(".bin").stat().st_size / 1e6
        same = float(np.mean(np.array(found.top) == np.array(whole.top)))
        figures[f"perplexity: {form}"] = Figure(found.perplexity, "", "lower", against=places)
        figures[f"agreement: {form}"] = Figure(same, "of 1", "higher", against=places)
        figures[f"size: {form}"] = Figure(size, "MB", "lower", against="the graph's weights")
    report(f"four_bits-{model}", figures)


if __name__ == "__main__":
    main()
