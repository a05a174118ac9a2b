"""Builds the keeper of conversations from the opened serving room."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from mainspring.core.errors import SettingsError
from mainspring.core.settings import SessionsSettings
from mainspring.core.types import Responder
from mainspring.engines import ChatModel, Engines
from mainspring.serving.memory.keeper import Keeper
from mainspring.serving.memory.model_summary import Writer
from mainspring.serving.memory.tokens import Tokens
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.money.reservation import BudgetReservations
from mainspring.stores import Stores

_log = logging.getLogger(__name__)


def keeper(
    settings: SessionsSettings,
    stores: Stores,
    engines: Engines,
    chat: Mapping[str, Responder],
    charged: ChargedModels,
    redact: Callable[[str], str],
    purse: BudgetReservations | None = None,
) -> Keeper:
    """The keeper; ``chat`` are the models within their call rings. Raises ``SettingsError``: an unknown summariser."""
    name = _summariser(settings.summariser, engines.chat)
    return Keeper(
        stores.memory,
        Tokens(engines.chat),
        lambda context: charged.embedder(engines.embedder, context),
        stores.events,
        writer=Writer(chat[name], name, redact) if name else None,
        recalled=settings.recalled_turns,
        purse=purse,
    )


def _summariser(wanted: str, chat: Mapping[str, ChatModel]) -> str:
    if wanted == "extractive":
        return ""
    if wanted == "auto":
        return next((name for name, model in chat.items() if model.grounded), "")
    if wanted not in chat:
        raise SettingsError(
            f"sessions.summariser names {wanted!r}, which is not a chat model here",
            remedy=f"Use auto, extractive, or one of {', '.join(chat) or 'models.chat'}",
        )
    if not chat[wanted].grounded:
        _log.warning("sessions.summariser is %s, which its catalogue entry does not call grounded", wanted)
    return wanted
