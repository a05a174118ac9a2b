"""Writing with a model: token after token, each time one pass over the new token alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mainspring.core.errors import InvalidRequest
from mainspring.training.own.models.decoder import Decoder
from mainspring.training.own.models.encoder_decoder import EncoderDecoder


def draw(logits: Tensor, temperature: float, top_k: int, generator: torch.Generator | None) -> Tensor:
    """One token a row: (batch, vocabulary) to (batch). A temperature of 0 takes the likeliest one; ``top_k`` of 0
    lets all be drawn."""
    if temperature == 0:
        return logits.argmax(-1)
    if top_k:
        least = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    chances = torch.softmax(logits.float() / temperature, dim=-1)
    return torch.multinomial(chances, 1, generator=generator)[:, 0]


def padded(rows: Sequence[Sequence[int]], pad: int, *, left: bool = False) -> tuple[Tensor, Tensor]:
    """Rows of any length as (batch, longest), and (batch, longest) that is False for padding. Raises ``InvalidRequest``
    for a row without tokens."""
    if not rows or not all(rows):
        raise InvalidRequest("a prompt has no tokens", remedy="Begin it with the token that begins texts")
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad)
    keep = torch.zeros((len(rows), longest), dtype=torch.bool)
    for number, row in enumerate(rows):
        where = slice(longest - len(row), longest) if left else slice(0, len(row))
        ids[number, where] = torch.tensor(row)
        keep[number, where] = True
    return ids, keep


@torch.no_grad()
def write(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    *,
    most: int,
    end: int,
    pad: int = 0,
    temperature: float = 0.0,
    top_k: int = 0,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """What the model writes after each prompt: at most ``most`` tokens, up to and with ``end``. The same as for one
    prompt at a time, but faster."""
    device = model.embedding.tokens.weight.device
    ids, keep = (each.to(device) for each in padded(prompts, pad, left=True))
    # Padding stands in front, so that all rows go on at the same place.
    positions = (keep.cumsum(1) - 1).clamp(min=0)
    cache, written = model.new_cache(), []
    open_rows = torch.ones(len(prompts), dtype=torch.bool, device=device)
    for _ in range(most):
        logits = model(ids, positions=positions, keep=keep, cache=cache)[:, -1]
        token = torch.where(open_rows, draw(logits, temperature, top_k, generator), torch.full_like(ids[:, 0], pad))
        written.append(token)
        open_rows = open_rows & (token != end)
        if not open_rows.any():
            break
        ids, positions = token[:, None], positions[:, -1:] + 1
        keep = torch.cat((keep, torch.ones_like(keep[:, :1])), dim=1)
    return _cut(written, end)


@torch.no_grad()
def turn_into(
    model: EncoderDecoder,
    sources: Sequence[Sequence[int]],
    *,
    begin: int,
    end: int,
    most: int,
    pad: int = 0,
    temperature: float = 0.0,
    top_k: int = 0,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """What the model makes of each source: at most ``most`` tokens, up to and with ``end``."""
    device = model.embedding.tokens.weight.device
    source, source_keep = (each.to(device) for each in padded(sources, pad))
    encoded = model.encode(source, source_keep)
    ids = torch.full((len(sources), 1), begin, device=device)
    cache, written = model.new_cache(), []
    open_rows = torch.ones(len(sources), dtype=torch.bool, device=device)
    for _ in range(most):
        states = model.decode(ids, encoded, source_keep=source_keep, cache=cache)
        chosen = draw(model.logits(states[:, -1]), temperature, top_k, generator)
        token = torch.where(open_rows, chosen, torch.full_like(chosen, pad))
        written.append(token)
        open_rows = open_rows & (token != end)
        if not open_rows.any():
            break
        ids = token[:, None]
    return _cut(written, end)


def _cut(written: list[Tensor], end: int) -> list[list[int]]:
    rows = torch.stack(written, dim=1).tolist() if written else []
    return [row[: row.index(end) + 1] if end in row else row for row in rows]
