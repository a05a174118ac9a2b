from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from mainspring.core.errors import GuardRefused
from mainspring.core.settings import GuardsSettings
from mainspring.core.settings.guards.limits import LanguageLimits, LengthLimits, Topic, TopicLimits
from mainspring.guards.detect import question_limits
from mainspring.guards.detect.question_limits import Examples, ExceededLimit
from mainspring.guards.policy.policies import GuardPolicy
from tests.told import facts_of

AXES = np.eye(3)


def test_lengths() -> None:
    limits = LengthLimits(action="refuse", characters=5, tokens=2, messages=3)
    assert question_limits.length("12345", 2, limits) == []
    assert question_limits.length("123456", 3, limits) == [
        ExceededLimit("length", "characters"),
        ExceededLimit("length", "tokens"),
    ]
    assert question_limits.messages(3, limits) == []
    assert question_limits.messages(4, limits) == [ExceededLimit("length", "messages")]
    assert question_limits.length("x" * 10**6, 10**6, LengthLimits(action="refuse")) == []


@pytest.mark.parametrize(
    ("code", "limits", "passes"),
    [
        ("de", LanguageLimits(allowed=("en", "de")), True),
        ("fr", LanguageLimits(allowed=("en", "de")), False),
        ("fr", LanguageLimits(forbidden=("de",)), True),
        ("de", LanguageLimits(forbidden=("de",)), False),
        ("und", LanguageLimits(allowed=("en",)), True),
        ("und", LanguageLimits(allowed=("en",), unknown=False), False),
    ],
)
def test_languages(code: str, limits: LanguageLimits, passes: bool) -> None:
    assert (question_limits.language(code, limits, unknown="und") == []) is passes


def test_topics() -> None:
    examples = Examples({"bread": AXES[:1]}, {"war": AXES[1:2]})
    limits = TopicLimits(allowed_above=0.3, forbidden_above=0.6, least_words=2)
    assert question_limits.topic("how much bread", [AXES[0]], examples, limits) == []
    assert question_limits.topic("who won the war", [AXES[1]], examples, limits) == [ExceededLimit("topic", "war", 1.0)]
    assert question_limits.topic("which is third", [AXES[2]], examples, limits) == [
        ExceededLimit("topic", "none_allowed", 0.0)
    ]
    # A word alone may go on with anything; with what was asked before a question may be about something allowed.
    assert question_limits.topic("third", [AXES[2]], examples, limits) == []
    assert question_limits.topic("and the third", [AXES[2], AXES[0]], examples, limits) == []
    assert question_limits.topic("and the second", [AXES[2], AXES[1]], examples, limits) == [
        ExceededLimit("topic", "war", 1.0)
    ]
    # Nearer to what is allowed than to what is forbidden.
    both = np.array([0.75, 0.66, 0.0])
    assert question_limits.topic("bread in the war", [both], examples, limits) == []


def test_more_examples_of_one_thing_do_not_make_it_nearer() -> None:
    one, other = AXES[:1], AXES[[0, 0, 0]]
    assert question_limits.likeness(AXES[0], one) == question_limits.likeness(AXES[0], other) == 1.0
    assert question_limits.nearest(AXES[0], {}) == ("", 0.0)


def test_who_is_refused_is_told_the_reason() -> None:
    policy = GuardPolicy(topics=TopicLimits(action="refuse", reason="I sell bread."))
    decisions = policy.bound([ExceededLimit("topic", "war", 0.71234), ExceededLimit("length", "tokens")])
    assert [facts_of(each) for each in decisions] == [
        {
            "guard": "topic",
            "action": "refuse",
            "kind": "war",
            "count": 1,
            "score": 0.712,
            "policy": policy.version,
        }
    ]
    error = policy.refusal(decisions)
    assert isinstance(error, GuardRefused)
    assert str(error) == "I sell bread."
    assert policy.version != GuardPolicy().version


def test_named_policies_have_limits_of_their_own() -> None:
    settings = GuardsSettings.model_validate(
        {
            "length": {"action": "flag", "characters": 100},
            "policies": {
                "shop": {"applications": ["shop"], "length": {"action": False}, "languages": {"allowed": ["en"]}}
            },
        }
    )
    shop = settings.policy("shop")
    assert (shop.length.action, shop.languages.allowed, settings.length.characters) == ("off", ("en",), 100)
    with pytest.raises(ValidationError, match="a description or examples"):
        Topic()
