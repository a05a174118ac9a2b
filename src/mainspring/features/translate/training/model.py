"""The translator: an encoder-decoder with cross-attention, of the shape of M2M-100, and its conversion for serving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from tokenizers import Tokenizer
from transformers import M2M100Config, M2M100ForConditionalGeneration

from mainspring.features.translate.training.examples import Numbers
from mainspring.features.translate.training.options import TranslateOptions
from mainspring.features.translate.training.vocabulary import END, PAD, UNKNOWN, number, pieces


def build(tokenizer: Tokenizer, options: TranslateOptions) -> M2M100ForConditionalGeneration:
    """With random weights, of the generator's state. Embeddings of both sides and the output are one matrix.

    Layers are normalised before attention and feed-forward (Xiong et al. 2020): with so few and small batches, those
    that are normalised behind do not learn to look at the source.
    """
    pad, end = number(tokenizer, PAD), number(tokenizer, END)
    model = M2M100ForConditionalGeneration(
        M2M100Config(
            vocab_size=tokenizer.get_vocab_size(), d_model=options.width, encoder_layers=options.encoder_layers,
            decoder_layers=options.decoder_layers, encoder_attention_heads=options.heads,
            decoder_attention_heads=options.heads, encoder_ffn_dim=options.inner, decoder_ffn_dim=options.inner,
            activation_function="relu", dropout=options.dropout, attention_dropout=0.0, activation_dropout=0.0,
            encoder_layerdrop=0.0, decoder_layerdrop=0.0, max_position_embeddings=max(512, options.longest),
            scale_embedding=True, pad_token_id=pad, bos_token_id=end, eos_token_id=end, decoder_start_token_id=end,
            init_std=options.width**-0.5, tie_word_embeddings=True,
            # The fused attention of torch is slower on CPU, where this is trained: a step takes 1.5 times as long.
            attn_implementation="eager",
        )
    )  # fmt: skip
    with torch.no_grad():
        model.get_input_embeddings().weight[pad].zero_()
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed" not in name and "shared" not in name and "lm_head" not in name:
                torch.nn.init.xavier_uniform_(weight)
    return model


def align(model: M2M100ForConditionalGeneration, pieces: Numbers, pairs: Numbers, seed: int) -> None:
    """Start with embeddings in which pieces of the same pairs are near: a word and its translations.

    Latent semantic analysis over pairs as documents (Dumais et al. 1997), by a randomised decomposition. The first
    direction is left out: it says how frequent a piece is.
    """
    weight = model.get_input_embeddings().weight
    size, width = weight.shape
    often = np.bincount(pieces, minlength=size)
    documents = int(pairs.max()) + 1
    values = np.log(documents / (1.0 + often[pieces])).clip(0.1)
    found = sparse.csr_matrix((values.astype(np.float32), (pieces, pairs)), shape=(size, documents))
    basis = np.random.default_rng(seed).standard_normal((size, width + 1), dtype=np.float32)
    for _ in range(4):
        basis, _ = np.linalg.qr(found @ (found.T @ basis))
    _, sizes, turned = np.linalg.svd(np.asarray((found.T @ basis).T @ (found.T @ basis)), hermitian=True)
    made = (basis @ turned.T * np.sqrt(np.sqrt(sizes)))[:, 1:]
    made -= made[often > 0].mean(0)
    norms = np.linalg.norm(made, axis=1, keepdims=True)
    seen = often >= 5
    with torch.no_grad():
        weight[torch.from_numpy(seen)] = torch.from_numpy((made / norms.clip(1e-6))[seen].astype(np.float32))


def logits(model: M2M100ForConditionalGeneration, inputs: torch.Tensor, labels: torch.Tensor, pad: int) -> torch.Tensor:
    """Of each place that has a label, in order: ``labels`` that are negative are left out before the large product."""
    before = torch.where(labels >= 0, labels, pad)
    before = torch.cat([torch.full_like(before[:, :1], model.config.decoder_start_token_id), before[:, :-1]], dim=1)
    out = model.model(
        input_ids=inputs, attention_mask=(inputs != pad).long(), decoder_input_ids=before, use_cache=False
    )
    return model.lm_head(out.last_hidden_state[labels >= 0])


def convert(model: M2M100ForConditionalGeneration, tokenizer: Tokenizer, folder: Path, weights: str) -> None:
    """Write it for CTranslate2, with its vocabulary as ``tokenizer.json``."""
    from ctranslate2.converters.transformers import M2M100Loader

    spec: Any = M2M100Loader().get_model_spec(model.float().eval())
    named = pieces(tokenizer)
    spec.register_source_vocabulary(named)
    spec.register_target_vocabulary(named)
    spec.config.eos_token, spec.config.unk_token = END, UNKNOWN
    spec.config.decoder_start_token, spec.config.add_source_eos = END, False
    spec.validate()
    spec.optimize(quantization=None if weights == "float32" else weights)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
