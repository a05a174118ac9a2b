"""What customers want is read in many words; each pattern decides by itself."""

from __future__ import annotations

from typing import Any, cast

import pytest

from mainspring.agents.choice.base import Steps
from mainspring.features.support.dialogue.intents import Intents
from mainspring.features.support.script import readers
from mainspring.features.support.script.shop import SCRIPT

NO_STEPS = cast(Steps, None)


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("Is LS-21347 ready to be picked up in the shop?", "track_shipment"),
        ("Any idea which day I will get it, LS-21327?", "track_shipment"),
        ("I lost the return code of my press, LS-20914", "refund_status"),
        ("LS-20822 is not what I hoped for. Is a refund possible?", "start_return"),
        ("the bag is unopened, can it come back to you", "start_return"),
        ("Please take LS-21399 out before it is sent", "cancel_order"),
        ("Don't send it please, I have just seen it for less", "cancel_order"),
        ("The crank is loose, would you repair that for free?", "claim_warranty"),
        ("We opened the carton and the dripper was in shards", "report_parcel"),
        ("No sign of my parcel, LS-21157", "report_parcel"),
        ("I ask you to erase everything that you hold on me", "create_ticket"),
        ("I paid more for express and want that extra back", "create_ticket"),
        ("It costs less elsewhere now", "request_price_match"),
        ("LS-20608 is unused. Can I still get a refund?", "start_return"),
        ("The stove of LS-20902 may come back", "start_return"),
        ("LS-21207 was never opened, I'd hand it back", "start_return"),
        ("I'd like a refund of the gift card that I bought in LS-20857", "start_return"),
        ("My account was taken over", "create_ticket"),
        ("I see an order that I did not make", "create_ticket"),
        ("Can I have a replacement while you look for LS-21083?", "create_ticket"),
        # What would be done, what a thing costs, and other people's sending are questions.
        ("If a parcel comes broken, what do you need of me?", ""),
        ("What happens if my order arrives damaged?", ""),
    ],
)
async def test_a_pattern_decides(text: str, tool: str) -> None:
    (wish,) = await Intents(SCRIPT, None).wishes(text, NO_STEPS)
    assert (wish.tool, wish.way) == (tool, "rule")


@pytest.mark.parametrize(
    "text",
    [
        "Who pays for sending a broken thing back?",
        "How many days until you send it back?",
        "Can I still return coffee?",
    ],
)
async def test_a_question_about_returns_is_none(text: str) -> None:
    assert await Intents(SCRIPT, None).wishes(text, NO_STEPS) == []


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("Sealed", False),
        ("It is still in its box", False),
        ("Neither has been opened", False),
        ("nobody has touched them", False),
        ("It was not sealed, I have used it", True),
        ("I have worn it once", True),
    ],
)
def test_what_was_used_is_read_in_many_words(text: str, used: bool) -> None:
    assert readers.yes_used(text) is used


def test_the_end_of_a_question_is_no_town() -> None:
    found = readers.address("Can I change the address to 5 Bridge St, Cork, T12 AB34?")
    assert found == {"street": "5 Bridge St", "city": "Cork", "postcode": "T12 AB34"}


class _Scored(Intents):
    """Scores that a classifier might give."""

    async def scores(self, text: str, steps: Steps) -> dict[str, float]:
        return {"search": 0.5, "get_order": 0.2, "list_orders": 0.1}


async def test_who_names_an_order_asks_about_it_and_not_about_policies() -> None:
    intents: Any = _Scored(SCRIPT, None)
    (about,) = await intents.wishes("Is the small one part of LS-21347", NO_STEPS)
    assert about.tool == "get_order"
    (other,) = await intents.wishes("Is the small one part of the set", NO_STEPS)
    assert other.tool == ""


@pytest.mark.parametrize(
    ("text", "street", "own"),
    [
        ("I want to send to another address: 5 Mill Road, Tarnside, TS1 4AB, order LS-21422", "5 Mill Road", None),
        ("Please change it. It is Flat 2, 5 Mill Road, Tarnside, TS1 4AB. Thanks, Alice", "Flat 2, 5 Mill Road", None),
        (
            "Deliver LS-21422 to 5 Mill Road, Tarnside, TS1 4AB instead. My postcode is MB4 2QT",
            "5 Mill Road",
            "MB4 2QT",
        ),
        ("Please ship it to my mum, 5 Mill Road, Tarnside TS1 4AB", "5 Mill Road", None),
        ("Send it to 5 Mill Road in Tarnside, TS1 4AB please", "5 Mill Road", None),
        ("5 Mill Road, Tarnside, TS1 4AB", "5 Mill Road", "TS1 4AB"),
    ],
)
def test_an_address_is_read_without_the_words_around_it(text: str, street: str, own: str | None) -> None:
    assert readers.address(text) == {"street": street, "city": "Tarnside", "postcode": "TS1 4AB"}
    # Where a parcel shall go says nothing of who asks for it.
    assert readers.own_postcode(text) == own
