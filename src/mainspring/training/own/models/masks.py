"""Who may look at whom: boolean masks, True where a query sees a key."""

from __future__ import annotations

import torch
from torch import Tensor


def among(keep: Tensor) -> Tensor:
    """Queries of any number look at the keys that are kept: (batch, keys) to (batch, 1, 1, keys)."""
    return keep[:, None, None, :]


def causal(
    queries: int, past: int, device: torch.device, *, documents: Tensor | None = None, keep: Tensor | None = None
) -> Tensor | None:
    """Query ``i`` looks at the ``past`` keys and at its own up to ``i``: (batch or 1, 1, queries, past + queries).

    ``documents`` (batch, queries) numbers the document of each token, and no token looks into another document; it
    goes with no past. ``keep`` (batch, past + queries) is False for padding. None: the kernel's own causal mask, or
    none at all for a single query, does.
    """
    if documents is None and keep is None and (past == 0 or queries == 1):
        return None
    place = torch.arange(queries, device=device)[:, None] + past
    keys = torch.arange(past + queries, device=device)[None, :]
    mask = (keys <= place)[None, None]
    if documents is not None:
        mask = mask & (documents[:, None, :, None] == documents[:, None, None, :])
    if keep is not None:
        # Padding sees itself, since a query that sees nothing would be no number.
        mask = mask & (among(keep) | (keys == place)[None, None])
    return mask
