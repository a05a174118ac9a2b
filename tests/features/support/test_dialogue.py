"""Dialogues over several messages, decided by the script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mainspring.agents.errors import Waiting
from mainspring.agents.handover import NewCase, OpenedCase
from mainspring.agents.tools.base import ToolContext
from mainspring.features.support.dialogue.hearer import Hearer
from mainspring.features.support.dialogue.hearing import READ
from tests.agents.loop.scripted import ScriptedModel
from tests.features.support.shop_dialogue import Customer

WHO = "alice.fenwick@post.example, MB4 2QT"


async def test_the_wish_is_remembered_while_the_customer_is_identified(tmp_path: Path) -> None:
    alice = Customer(tmp_path)
    assert "postcode" in await alice.say("Please cancel order LS-21422")
    assert "Shall I cancel order LS-21422 and return £98.40 to your card?" in await alice.say(WHO)
    assert "is cancelled" in await alice.say("yes please")
    order = await alice.shop.order("C-1001", "LS-21422")
    assert order is not None
    assert order.state == "cancelled"


async def test_nothing_is_written_before_a_yes(tmp_path: Path) -> None:
    for answer in ("no", "hmm, what does that cost?", "maybe later", "not sure"):
        alice = Customer(tmp_path / answer[:3])
        await alice.say("Please cancel order LS-21422, my postcode is MB4 2QT")
        await alice.say(answer)
        order = await alice.shop.order("C-1001", "LS-21422")
        assert order is not None
        assert order.state == "placed", answer


async def test_a_correction_takes_the_other_order(tmp_path: Path) -> None:
    jakub = Customer(tmp_path)
    await jakub.say("track my order please, jakub.nowak@post.example KE2 6TY")
    assert "LS-21217" in await jakub.say("no, I mean order LS-21217")


async def test_two_wishes_in_one_message_are_both_served(tmp_path: Path) -> None:
    alice = Customer(tmp_path)
    first = await alice.say("cancel order LS-21422 and check the balance of my gift card 6093157861118706")
    assert "postcode" in first
    await alice.say("MB4 2QT")
    done = await alice.say("yes")
    assert "is cancelled" in done
    assert "£12.35" in done


async def test_wrong_credentials_are_asked_for_again(tmp_path: Path) -> None:
    alice = Customer(tmp_path)
    assert "do not fit together" in await alice.say("cancel order LS-21422, postcode MB4 9ZZ")
    assert "Shall I cancel" in await alice.say("sorry, MB4 2QT")


async def test_the_same_question_twice_offers_a_person(tmp_path: Path) -> None:
    alice = Customer(tmp_path)
    await alice.say(f"I want to return my grinder, {WHO}")
    await alice.say("blah")
    assert "colleague" in await alice.say("blub")


class OneDesk:
    """Opens cases and keeps them."""

    def __init__(self) -> None:
        self.cases: dict[str, NewCase] = {}

    async def open_case(self, case: NewCase, context: ToolContext) -> OpenedCase:
        self.cases.setdefault(context.key, case)
        return OpenedCase(f"CASE-{len(self.cases)}", "customer care", "open")

    async def find_case(self, number: str, customer: str, context: ToolContext) -> OpenedCase:
        return OpenedCase(number, "customer care", "taken")


@pytest.mark.parametrize("said", ["I want to speak to a human", "THIS IS RIDICULOUS, YOU ARE THE WORST SHOP EVER"])
async def test_a_person_takes_over_when_asked_for_and_when_the_customer_is_upset(tmp_path: Path, said: str) -> None:
    desk = OneDesk()
    customer = Customer(tmp_path, desk=desk)
    assert "CASE-1" in await customer.say(said)
    [case] = desk.cases.values()
    assert case.kind == "escalation"
    assert case.customer == ""
    alone = Customer(tmp_path / "alone")
    assert "Nobody can take over" in await alone.say(said)
    assert [each.kind for each in await alone.shop.tickets()] == ["escalation"]


async def test_a_large_refund_waits_for_a_person_and_is_not_asked_for_twice(tmp_path: Path) -> None:
    hugo = Customer(tmp_path)
    await hugo.say("I want to return the jacket, rucksack and stove of order LS-21113. My postcode is KE7 8CA")
    await hugo.say("never used")
    await hugo.say("yes")
    await hugo.say("yes")
    with pytest.raises(Waiting):
        await hugo.say("yes")
    order = await hugo.shop.order(hugo.state["customer"], "LS-21113")
    assert order is not None
    assert [each["sku"] for each in order.returns] == ["JK-01", "RS-30"]
    assert "welcome" in await hugo.say("thanks")


async def test_a_client_without_a_session_goes_on_where_it_was(tmp_path: Path) -> None:
    alice = Customer(tmp_path)
    await alice.say(f"cancel order LS-21422, {WHO}")
    alice.state.clear()
    assert "is cancelled" in await alice.say("yes")
    stranger = Customer(tmp_path / "other")
    stranger.said = alice.said[:-2]
    # What was said stands in the conversation, but nobody here has answered it.
    assert "is cancelled" not in await stranger.say("yes")


async def test_a_model_that_calls_by_itself_writes_nothing_unconfirmed_and_words_no_refusal(tmp_path: Path) -> None:
    calls: list[Mapping[str, str]] = [{"order_number": "LS-21399"}]
    model = ScriptedModel(
        [
            [("identify_customer", {"email": "imogens@mail.example", "postcode": "AC1 1BB"})],
            [("cancel_order", dict(calls[0]))],
        ]
    )
    imogen = Customer(tmp_path, model=model, way="native")
    said = await imogen.say("imogen here, kindly drop it")
    assert said == "Shall I cancel order LS-21399? Please answer yes or no."
    refused = await imogen.say("yes")
    assert "35 minutes" in refused
    assert "shipping-and-delivery.html" in refused
    assert len(model.seen) == 2


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        " " * 1_000_000,
        "Cancel my order and refund me. No, exchange it. " * 20_000,
        "Cancel order LS-21422. " + "It was a long day. " * 50_000,
        "It was a long day. " * 50_000 + "Please cancel order LS-21422",
    ],
    ids=["letters", "blanks", "wishes", "a wish, then a story", "a story, then a wish"],
)
async def test_of_a_long_message_the_beginning_and_the_end_are_read(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    hear = Hearer.hear

    async def counted(self: Hearer, dialogue: Any, said: str, *more: Any, **options: Any) -> None:
        read.append(len(said))
        await hear(self, dialogue, said, *more, **options)

    monkeypatch.setattr(Hearer, "hear", counted)
    alice = Customer(tmp_path)
    answer = await alice.say(text)
    assert max(read) <= READ
    if "LS-21422" in text:
        assert "postcode" in answer
        assert "Shall I cancel order LS-21422 and return £98.40 to your card?" in await alice.say(WHO)


async def test_an_order_whose_wish_nobody_understands_is_told(tmp_path: Path) -> None:
    ben = Customer(tmp_path)
    await ben.say("Anything new about LS-21386?")
    said = await ben.say("my email is ben.okafor@post.example, my postcode is TS1 8HD")
    assert "Order LS-21386 of" in said
    assert said.endswith("What can I do about it?")


async def test_a_refund_of_what_did_not_come_back_begins_with_its_return(tmp_path: Path) -> None:
    pavel = Customer(tmp_path)
    await pavel.say("When will I get my money for the grinder, LS-20976?")
    said = await pavel.say("my email is pavel.horak@post.example, my postcode is NW1 2EF")
    assert "no return for order LS-20976 yet: I can open one" in said
    assert "used" in said
    assert "engrav" in (await pavel.say("no, it is sealed")).lower()


async def test_who_does_not_say_who_they_are_gets_what_everybody_may_know(tmp_path: Path) -> None:
    stranger = Customer(tmp_path)
    question = "My torch is cheaper elsewhere, do you match that?"
    assert "postcode" in await stranger.say(question)
    await stranger.say("I would rather not say.")
    said = await stranger.say("I would rather not say.")
    assert f"The handbook on {question!r}." in said
    assert "colleague" in said
    # Who names an order is told nothing about it.
    other = Customer(tmp_path)
    await other.say("Is LS-21422 shipped?")
    await other.say("I would rather not say.")
    assert "handbook" not in await other.say("I would rather not say.")


async def test_to_ask_how_complaints_are_made_is_no_complaint(tmp_path: Path) -> None:
    asked = Customer(tmp_path)
    assert "The handbook" in await asked.say("Which address do I send a complaint to?")
    assert "colleagues" in await asked.say("This is a complaint! Nobody answers me.")


@pytest.mark.parametrize(
    ("who", "wish", "question"),
    [
        (
            WHO,
            "I want LS-21422 to go to another address: 5 Mill Road, Tarnside, TS1 4AB",
            "Shall I have order LS-21422 delivered to 5 Mill Road, Tarnside, TS1 4AB?",
        ),
        (
            "AC2 5JR",
            "Please cancel order LS-21409, I have found it cheaper elsewhere",
            "Shall I cancel order LS-21409 and return £88.00 to your card?",
        ),
        (
            "uma.patel@post.example PW2 2NC",
            "Cancel my order LS-21234",
            "Shall I cancel order LS-21234 and return your deposit of £5.80?",
        ),
        (
            "NW9 1HJ",
            "Jacket of LS-21168 does not fit, never worn, I would like to return it",
            "The Rain jacket can be returned until 25 February 2026. "
            "Shall I open a return of the Rain jacket of order LS-21168, for £157.05 back to your card, "
            "after £2.95 for the label?",
        ),
        (
            "KE2 6TY",
            "Can I swap the jacket of order LS-21217 for size L",
            "Shall I exchange the Rain jacket of order LS-21217 for size L?",
        ),
        (
            "T12 AK54",
            "I want to report parcel LS-21306: it says delivered, but there is nothing",
            "Shall I report that the parcel of order LS-21306 is marked as delivered but has not reached you?",
        ),
        (
            "NW7 4PD",
            "The handle of my grinder broke, order LS-21183, is that under warranty? I want to claim it",
            "The crank, knob and bearings of the Kestrel hand grinder are under warranty until 8 January 2029. "
            "(warranty.pdf) Shall I make a warranty claim for the Kestrel hand grinder of order LS-21183?",
        ),
        (
            "PW2 2NC",
            "Can you price match the grinder of LS-21282? It costs £79 at https://shop.example/kg38",
            "You bought it 7 days ago, within the 18 days of a price match; the difference is £10.00. "
            "Shall I ask for the price of £79.00 for the Kestrel hand grinder of order LS-21282, "
            "which returns £10.00 to you?",
        ),
    ],
)
async def test_a_confirmation_says_what_will_be_done_and_not_the_customers_words(
    tmp_path: Path, who: str, wish: str, question: str
) -> None:
    customer = Customer(tmp_path)
    await customer.say(wish)
    assert await customer.say(who) == f"{question} Please answer yes or no."


class _Desk:
    """Remembers the cases that are opened."""

    def __init__(self) -> None:
        self.cases: list[NewCase] = []

    async def open_case(self, case: NewCase, context: ToolContext) -> OpenedCase:
        self.cases.append(case)
        return OpenedCase("CS-1", "general", "open")

    async def find_case(self, number: str, customer: str, context: ToolContext) -> OpenedCase:
        raise AssertionError(number)


async def test_a_person_who_takes_over_reads_what_nobody_could_answer(tmp_path: Path) -> None:
    desk = _Desk()
    customer = Customer(tmp_path, desk=desk)
    await customer.say("Grumble shells")
    assert "CS-1" in await customer.say("Yes, please")
    assert desk.cases[0].reason == "The customer accepted to be handed over: Grumble shells"


async def test_a_ticket_is_called_by_what_it_asks_for_and_a_yes_is_no_request(tmp_path: Path) -> None:
    desk = _Desk()
    customer = Customer(tmp_path, desk=desk)
    asked = await customer.say("Please open a ticket")
    assert "What should I tell my colleagues?" in asked
    assert "What should I tell my colleagues?" in await customer.say("yes")
    assert "CS-1" in await customer.say("Please wrap my next order as a present for my aunt")
    (case,) = desk.cases
    assert case.subject == case.body == "Please wrap my next order as a present for my aunt"
