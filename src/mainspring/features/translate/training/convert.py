"""``python -m ... MODEL OUT``: a model of transformers becomes one of CTranslate2, with a fast tokenizer beside it.

MODEL is a folder, or a name of the hub that transformers fetches. The exit status is 3 where a package is missing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import Unigram

_NEVER = -1e4
"""The score of pieces that only the other language has: nothing is read as them if it can be read otherwise."""


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
        backend = fast(AutoTokenizer.from_pretrained(model))
        TransformersConverter(model).convert(out, quantization="int8", force=True)
        backend.save(str(Path(out) / "tokenizer.json"))
    except ImportError as error:
        print(error, file=sys.stderr)
        return 3
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        print(f"{model}: {error}", file=sys.stderr)
        return 1
    return 0


def fast(tokenizer: Any) -> Tokenizer:
    """As the server reads it. Raises ``ValueError`` for one of a kind that nothing converts."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None and hasattr(tokenizer, "spm_source"):
        backend = _of_two(tokenizer)
    if backend is None:
        from transformers.convert_slow_tokenizer import convert_slow_tokenizer

        backend = convert_slow_tokenizer(tokenizer)
    # Texts of any length come whole, whatever the model was trained with.
    backend.no_truncation()
    backend.no_padding()
    found: Tokenizer = backend
    return found


def _of_two(tokenizer: Any) -> Tokenizer:
    """Marian has a model of SentencePiece for each language over one vocabulary: texts are read by that of the source,
    and all pieces can be written."""
    source = tokenizer.spm_source
    scores = {source.id_to_piece(each): float(source.get_score(each)) for each in range(source.get_piece_size())}
    known = {str(piece): scores.get(piece, _NEVER) for piece in tokenizer.get_vocab()}
    unknown = str(tokenizer.unk_token)
    special = [piece for piece in (tokenizer.eos_token, unknown, tokenizer.pad_token) if piece]
    special += [piece for piece in known if piece.startswith(">>") and piece.endswith("<<")]
    pieces = [(unknown, 0.0), *((piece, score) for piece, score in known.items() if piece != unknown)]
    made = Tokenizer(Unigram(pieces, 0))
    made.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    made.add_special_tokens(special)
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
