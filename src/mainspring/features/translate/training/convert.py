"""``python -m ... MODEL OUT``: a model of transformers becomes one of CTranslate2, with a fast tokenizer beside it.

The exit status is 3 where torch or transformers is not installed.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(model: str, out: str) -> int:
    try:
        import torch  # noqa: F401
        from ctranslate2.converters import TransformersConverter
        from transformers import AutoTokenizer
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed", file=sys.stderr)
        return 3
    try:
        # Before the weights: a tokenizer that the server cannot read ends it.
        tokenizer = AutoTokenizer.from_pretrained(model)
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            from transformers.convert_slow_tokenizer import convert_slow_tokenizer

            backend = convert_slow_tokenizer(tokenizer)
        TransformersConverter(model).convert(out, quantization="int8", force=True)
        backend.save(str(Path(out) / "tokenizer.json"))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        print(f"{model}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
