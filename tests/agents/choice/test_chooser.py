"""The chooser: what is called, what is asked back, and what is left to the model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mainspring.agents.choice.base import Choice, Turn
from mainspring.agents.choice.chooser import ToolChooser, made_for
from mainspring.agents.choice.rules import Rule
from mainspring.agents.choice.scorer import Scorer
from mainspring.agents.loop.agent_tool import TransferTool
from mainspring.core.errors import SettingsError
from mainspring.core.types import Message, ToolCall
from tests.agents.choice.support import REFUND, STATUS, VERIFY, WEATHER, Declared, Recorded, Words, declared

TOOLS = (STATUS, WEATHER)


async def choose(
    steps: Recorded, *said: Message | str, tools: tuple[Declared, ...] = TOOLS, rules: tuple[Rule, ...] = ()
) -> Choice:
    messages = tuple(Message("user", each) if isinstance(each, str) else each for each in said)
    return await ToolChooser(Words()).choose(Turn(messages, tools, rules, "model"), steps)


def called(name: str, result: str, **arguments: str) -> tuple[Message, Message]:
    call = ToolCall(f"call {name}", name, json.dumps(arguments))
    return Message("assistant", "", tool_calls=(call,)), Message("tool", result, name, tool_call_id=call.id)


async def test_the_tool_that_fits_is_called_without_the_model_if_its_argument_is_certain() -> None:
    steps = Recorded()
    choice = await choose(steps, "What is the status of my order A-1234?")
    (call,) = choice.calls
    assert (call.name, call.arguments) == ("get_order_status", {"order_id": "A-1234"})
    assert choice.way == "scores"
    assert not steps.asked
    assert choice.attributes["tool_choice.tools"] == ["get_order_status"]


async def test_no_tool_is_called_for_what_none_serves() -> None:
    choice = await choose(Recorded(), "Write a poem about autumn leaves.")
    assert (choice.calls, choice.say, choice.way) == ((), "", "none")


async def test_the_model_writes_arguments_under_the_schema_of_the_one_tool() -> None:
    steps = Recorded({"city": "Berlin"})
    choice = await choose(steps, "Tell me the weather of the city of Berlin")
    (asked,) = steps.asked
    assert (asked.tool_choice, [tool.name for tool in asked.tools]) == ("get_weather", ["get_weather"])
    assert choice.calls[0].arguments == {"city": "Berlin"}
    assert choice.calls[0].written == ("city",)


async def test_what_the_model_makes_up_is_asked_for_and_the_answer_is_taken_up() -> None:
    first = "Tell me the weather of the city"
    choice = await choose(Recorded({"city": "Paris"}), first)
    assert choice.calls == ()
    assert choice.say == "Which city?"
    answer = await choose(Recorded({"city": "Oslo"}), first, Message("assistant", choice.say), "Oslo, please")
    assert (answer.way, answer.calls[0].arguments) == ("slot", {"city": "Oslo"})


async def test_an_identifier_is_never_taken_from_the_model() -> None:
    asked = await choose(Recorded({"order_id": "12345"}), "What is the status of my order?")
    assert (asked.calls, asked.say) == ((), "Which order number?")
    steps = Recorded({"order_id": "12345"})
    told = await choose(steps, "What is the status of my order?", Message("assistant", asked.say), "it is #987")
    assert told.calls[0].arguments == {"order_id": "987"}


async def test_a_question_can_be_left_for_another_request_or_taken_back() -> None:
    asked = ("What is the status of my order?", Message("assistant", "Which order number?"))
    other = await choose(Recorded({"city": "Rome"}), *asked, "Tell the weather of the city of Rome")
    assert other.calls[0].name == "get_weather"
    assert await choose(Recorded(), *asked, "Never mind") == Choice()


async def test_a_request_is_served_once() -> None:
    question = "What is the status of my order A-1234?"
    choice = await choose(Recorded(), question, *called("get_order_status", "shipped", order_id="A-1234"))
    assert (choice.calls, choice.say, choice.way) == ((), "", "served")


async def test_a_follow_up_is_read_behind_the_request_before_it() -> None:
    question = "Tell the weather of the city of Rome"
    served = called("get_weather", "sunny", city="Rome")
    choice = await choose(Recorded({"city": "Oslo"}), question, *served, Message("assistant", "Sunny."), "And Oslo?")
    assert choice.calls[0].arguments == {"city": "Oslo"}


async def test_each_part_of_a_request_has_its_call() -> None:
    steps = Recorded({"city": "Rome"})
    said = "Look up the status of the order B-77. Tell the weather of the city of Rome."
    choice = await choose(steps, said)
    assert [call.name for call in choice.calls] == ["get_order_status", "get_weather"]
    assert choice.calls[0].arguments == {"order_id": "B-77"}


async def test_several_calls_of_one_tool_are_written_as_a_list() -> None:
    area = declared("rectangle_area", "Area of a rectangle", width={"type": "number"}, height={"type": "number"})
    steps = Recorded([{"width": 2, "height": 3}, {"width": 4, "height": 5}])
    choice = await choose(steps, "Area of a rectangle of 2 by 3 and of another of 4 by 5", tools=(area,))
    assert [dict(call.arguments) for call in choice.calls] == [{"width": 2, "height": 3}, {"width": 4, "height": 5}]
    assert steps.asked[0].sampling.grammar is not None


async def test_optional_arguments_that_nobody_spoke_of_are_left_out() -> None:
    unit = {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"}
    tool = declared("get_weather", "Tell the weather of a city", city={"type": "string"}, unit=unit)
    steps = Recorded({"city": "Rome", "unit": "fahrenheit"})
    choice = await choose(steps, "Tell the weather of the city of Rome", tools=(tool,))
    assert choice.calls[0].arguments == {"city": "Rome"}


async def test_rules_say_call_and_forbid() -> None:
    rules = (
        Rule(say="We are open from 9 to 17.", pattern="opening hours"),
        Rule(tool="get_weather", pattern="umbrella", arguments={"city": "Bonn"}),
        Rule(tool="get_order_status", never=True, pattern="secret"),
    )
    assert (await choose(Recorded(), "Your opening hours?", rules=rules)).say == "We are open from 9 to 17."
    forced = await choose(Recorded(), "Do I need an umbrella?", rules=rules)
    assert (forced.way, forced.calls[0].name, forced.calls[0].arguments) == ("rule", "get_weather", {"city": "Bonn"})
    barred = await choose(Recorded(), "What is the status of my secret order A-1234?", rules=rules)
    assert not barred.calls


async def test_what_a_rule_requires_comes_first_and_the_request_goes_on_after_it() -> None:
    tools, rules = (REFUND, VERIFY), (Rule(tool="refund_order", requires=("verify_identity",)),)
    said = "Refund the money of my order A-1234, my e-mail is jo@example.org"
    first = await choose(Recorded(), said, tools=tools, rules=rules)
    assert [(call.name, dict(call.arguments)) for call in first.calls] == [
        ("verify_identity", {"email": "jo@example.org"})
    ]
    well = called("verify_identity", '{"verified": true}', email="jo@example.org")
    second = await choose(Recorded(), said, *well, tools=tools, rules=rules)
    assert [(call.name, dict(call.arguments)) for call in second.calls] == [("refund_order", {"order_id": "A-1234"})]
    failed = called("verify_identity", "Error: nobody has this address", email="jo@example.org")
    assert not (await choose(Recorded(), said, *failed, tools=tools, rules=rules)).calls


async def test_a_rule_calls_a_tool_after_another() -> None:
    rules = (Rule(tool="get_weather", after="get_order_status", arguments={"city": "Bonn"}),)
    said = "What is the status of my order A-1234?"
    choice = await choose(Recorded(), said, *called("get_order_status", "shipped", order_id="A-1234"), rules=rules)
    assert choice.calls[0].name == "get_weather"


async def test_recorded_scores_decide_when_a_run_is_resumed() -> None:
    """With another embedder or other weights a recorded choice stays what it was."""
    said = "Write a poem about order A-1234."
    steps = Recorded(values=[{"get_order_status": 0.9, "get_weather": 0.1}])
    assert (await choose(steps, said)).calls[0].name == "get_order_status"


async def test_examples_decide_where_words_differ() -> None:
    asked = ("where is my parcel", "has my parcel left", "when does my parcel arrive", "my parcel is late")
    with_examples = declared("get_order_status", "Look up the status of an order", asked, order_id={"type": "string"})
    said = "where is my parcel A-1234"
    assert not (await choose(Recorded(), said)).calls
    choice = await choose(Recorded(), said, tools=(with_examples, WEATHER))
    assert (choice.way, choice.calls[0].name) == ("examples", "get_order_status")


async def test_a_model_chooses_among_tools_that_fit_equally() -> None:
    cancel = declared("cancel_order", "Cancel an order", order_id={"type": "string"})
    give_back = declared("return_order", "Return an order", order_id={"type": "string"})
    said = Message("user", "Please cancel or return the order A-1234")

    async def chosen(model: str) -> tuple[Choice, Recorded]:
        steps = Recorded({"order_id": "A-1234"})
        turn = Turn((said,), (cancel, give_back, WEATHER), (), model)
        return await ToolChooser(Words()).choose(turn, steps), steps

    choice, steps = await chosen("able")
    assert steps.asked[0].tool_choice == "required"
    assert {tool.name for tool in steps.asked[0].tools} == {"cancel_order", "return_order"}
    assert dict(choice.calls[0].arguments) == {"order_id": "A-1234"}
    _, steps = await chosen("smollm2-135m-instruct")
    assert all(len(asked.tools) == 1 for asked in steps.asked)


async def test_tools_are_embedded_once() -> None:
    embedder = Words()
    chooser = ToolChooser(embedder)
    turn = Turn((Message("user", "Write a poem about autumn."),), TOOLS)
    await chooser.choose(turn, Recorded())
    first = embedder.texts
    await chooser.choose(turn, Recorded())
    assert embedder.texts - first == 1


def test_an_embedding_model_without_weights_is_refused() -> None:
    embedder = Words()
    embedder.name = "other"
    assert made_for(embedder) is None
    with pytest.raises(SettingsError) as caught:
        ToolChooser(embedder)
    assert "models.embedding" in str(caught.value.remedy)


async def test_no_way_leads_around_what_is_required() -> None:
    tools = (REFUND, VERIFY)
    rules = (
        Rule(tool="refund_order", requires=("verify_identity",)),
        Rule(tool="refund_order", pattern="money back"),
        Rule(tool="refund_order", after="get_order_status"),
    )
    by_pattern = await choose(Recorded(), "I want my money back for A-1234, jo@example.org", tools=tools, rules=rules)
    assert [call.name for call in by_pattern.calls] == ["verify_identity"]
    asked = Message("assistant", "Which order number?")
    by_answer = await choose(Recorded(), "Refund my order, jo@example.org", asked, "A-1234", tools=tools, rules=rules)
    assert [call.name for call in by_answer.calls] == ["verify_identity"]
    served = called("get_order_status", "shipped", order_id="A-1234")
    said = "Status of A-1234, I am jo@example.org"
    after = await choose(Recorded(), said, *served, tools=(*tools, STATUS), rules=rules)
    assert [call.name for call in after.calls] == ["verify_identity"]


async def test_what_is_required_and_not_there_bars_the_call() -> None:
    rules = (Rule(tool="refund_order", requires=("verify_identity",)),)
    choice = await choose(Recorded(), "Refund the money of order A-1234", tools=(REFUND,), rules=rules)
    assert not choice.calls
    circle = (*rules, Rule(tool="verify_identity", requires=("refund_order",)))
    said = "Refund the money of order A-1234, jo@example.org"
    choice = await choose(Recorded(), said, tools=(REFUND, VERIFY), rules=circle)
    assert [call.name for call in choice.calls] != ["refund_order"]


async def test_a_forbidden_tool_is_not_called_by_an_answer_to_its_question() -> None:
    rules = (Rule(tool="get_order_status", never=True, pattern="secret"),)
    asked = Message("assistant", "Which order number?")
    choice = await choose(Recorded(), "Status of my secret order?", asked, "A-1234", rules=rules)
    assert not choice.calls


async def test_an_example_makes_a_request_of_a_mere_yes() -> None:
    yes = declared("finish_order", "Send off the order", ("yes", "yes that is right", "ok perfect"))
    asked = ("A latte, please", Message("assistant", "One latte. Is that right?"))
    assert (await choose(Recorded(), *asked, "Yes", tools=(yes, WEATHER))).calls[0].name == "finish_order"
    assert not (await choose(Recorded(), *asked, "Yes")).calls


async def test_a_hand_over_goes_to_the_agent_whose_description_or_tools_fit() -> None:
    hand_over = TransferTool({"orders": "", "weather": "Tell the weather of a city"}, abilities={"orders": (STATUS,)})
    tools: tuple[Any, ...] = (hand_over, REFUND)
    by_tool = await choose(Recorded(), "What is the status of my order A-1234?", tools=tools)
    assert [(call.name, call.arguments) for call in by_tool.calls] == [("transfer_to_agent", {"agent_name": "orders"})]
    by_words = await choose(Recorded(), "Tell me the weather of the city of Rome", tools=tools)
    assert by_words.calls[0].arguments == {"agent_name": "weather"}
    assert not (await choose(Recorded(), "Write a poem about autumn leaves.", tools=tools)).calls


async def test_an_agent_as_a_tool_is_given_the_users_own_words() -> None:
    asks = declared("weather_agent", "Tell the weather of a city", request={"type": "string"})
    said = "Tell me the weather of the city of Rome"
    choice = await choose(Recorded(), said, tools=(asks,))
    assert choice.calls[0].arguments == {"request": said}


async def test_a_rule_takes_what_no_tool_fits() -> None:
    search = declared("search_handbook", "Search the handbook", query={"type": "string"})
    rules = (Rule(tool="search_handbook", otherwise=True),)
    said = "Can shoes go back after three weeks?"
    choice = await choose(Recorded({"query": "shoes"}), said, tools=(search, STATUS), rules=rules)
    assert (choice.way, choice.calls[0].name, choice.calls[0].arguments) == (
        "rule",
        "search_handbook",
        {"query": "shoes"},
    )
    fitting = await choose(Recorded(), "What is the status of my order A-1234?", tools=(search, STATUS), rules=rules)
    assert fitting.calls[0].name == "get_order_status"
    for social in ("Thank you very much!", "Hello"):
        assert not (await choose(Recorded(), social, tools=(search, STATUS), rules=rules)).calls


async def test_a_code_may_be_derived_from_a_name_and_another_name_may_not() -> None:
    stock = declared("get_stock_price", "Tell the price of a stock", symbol={"type": "string"})
    derived = await choose(Recorded({"symbol": "AAPL"}), "Tell me the price of the stock of Apple", tools=(stock,))
    assert derived.calls[0].arguments == {"symbol": "AAPL"}
    unnamed = await choose(Recorded({"symbol": "AAPL"}), "Tell me the price of the stock", tools=(stock,))
    assert unnamed.say == "Which symbol?"
    other = await choose(Recorded({"city": "Paris"}), "Tell the weather of the city, says John")
    assert other.say == "Which city?"


KNOWLEDGE = declared("search_knowledge_base", "Search KB for relevant articles.", query={"type": "string"})


async def test_what_no_tool_fits_is_searched_for_where_one_tool_searches_knowledge() -> None:
    tools, steps = (STATUS, KNOWLEDGE), Recorded()
    choice = await choose(steps, "Can I return shoes after three weeks?", tools=tools)
    (call,) = choice.calls
    assert (choice.way, call.name) == ("knowledge", "search_knowledge_base")
    assert call.arguments == {"query": "Can I return shoes after three weeks?"}
    assert not steps.asked
    assert not (await choose(Recorded(), "Hello there, thanks a lot!", tools=tools)).calls
    assert not (await choose(Recorded(), "Hm, well", tools=tools)).calls
    writes = declared(
        "search_knowledge_base", "Search KB for articles.", query={"type": "string"}, folder={"type": "string"}
    )
    assert not (await choose(Recorded(), "Can I return shoes after three weeks?", tools=(STATUS, writes))).calls


async def test_a_likely_tool_is_called_if_the_request_tells_the_identifier_that_it_needs() -> None:
    class Even(Scorer):
        async def probabilities(self, request: str, tools: Any) -> Any:
            return [0.2 for _ in tools]

    chooser = ToolChooser(Words())
    chooser.scorer = Even(Words())
    for said, calls in (("Where are my things of order 4711?", {"order_id": "4711"}), ("Where are my things?", None)):
        found = await chooser.choose(Turn((Message("user", said),), (STATUS,), (), "model"), Recorded())
        assert (found.calls[0].arguments if found.calls else None) == calls
    handing = TransferTool({"orders": "Handles parcels."}, abilities={"orders": (STATUS,)})
    turn = Turn((Message("user", "Where are my things of order 4711?"),), (handing,), (), "model")
    (call,) = (await chooser.choose(turn, Recorded())).calls
    assert "orders" in call.arguments.values()
