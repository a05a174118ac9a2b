"""What is kept of a prompt: as the guards let it be read, with what the template made of it."""

from __future__ import annotations

import json

from mainspring.core.types import ChatRequest, CompletionRequest, EmbedRequest, Message
from mainspring.serving.ring.assembled_prompt import Assembled

KEPT = Assembled(lambda text: text.replace("bob@example.com", "[EMAIL]"))


def test_messages_and_what_became_of_them() -> None:
    request = ChatRequest("m", (Message("system", "Be kind."), Message("user", "Write to bob@example.com.")))
    told = KEPT.of(request, lambda each: f"<{each.model}> bob@example.com")
    assert told is not None
    assert json.loads(told) == {
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Write to [EMAIL]."}],
        "rendered": "<m> [EMAIL]",
    }


def test_prompts_and_what_is_none() -> None:
    told = KEPT.of(CompletionRequest("m", "Pay with 4111 1111 1111 1111"))
    assert told is not None
    assert json.loads(told) == {"prompt": "Pay with [CREDIT_CARD]"}
    told = KEPT.of(CompletionRequest("m", "Pay", suffix="with 4111 1111 1111 1111"))
    assert told is not None
    assert json.loads(told) == {"prompt": "Pay", "suffix": "with [CREDIT_CARD]"}
    assert KEPT.of(EmbedRequest("m", ("text",))) is None
