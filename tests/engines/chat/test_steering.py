"""What a request tells a chat template besides its messages, and which tokens it weights."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.path import collect
from mainspring.core.settings import EnginesSettings
from mainspring.core.types import IGNORED_HEADER, ChatRequest, Context, Message, Principal, Sampling
from mainspring.engines.base import Capabilities, Generation
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.chat.template import CHATML, ChatTemplate
from mainspring.engines.llamacpp import wire as llamacpp
from mainspring.engines.remote import openai_wire
from mainspring.engines.scripted import PARAMETERS, ScriptedEngine
from mainspring.http.openai.requests import ChatBody

CONTEXT = Context(Principal("default", "key"))
HELLO = (Message("user", "Hi"),)
SWITCH = CHATML + "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
EFFORT = CHATML + "{{ reasoning_effort }}|{{ verbosity }}"


async def asked(variables: dict[str, Any], source: str = CHATML, **engine: Any) -> tuple[Generation, str]:
    """What the engine was given, and what the answer says was ignored."""
    scripted = ScriptedEngine(lambda _: ["x"], **engine)
    template = None if engine else ChatTemplate(source)
    model = ModelResponder(scripted, model_name="small", fingerprint=None, template=template)
    answer = await collect(await model.respond(ChatRequest("small", HELLO, variables=variables), CONTEXT))
    return scripted.seen[0], answer.head.headers.get(IGNORED_HEADER, "")


async def test_a_template_gets_the_variables_that_it_reads() -> None:
    seen, ignored = await asked({"reasoning_effort": "low", "verbosity": "high"}, EFFORT)
    assert seen.prompt.endswith("low|high")
    assert ignored == ""


async def test_what_a_template_does_not_read_is_named() -> None:
    seen, ignored = await asked({"reasoning_effort": "low", "verbosity": "high", "mood": "calm"})
    assert seen.variables == {}
    assert ignored == "reasoning_effort, verbosity, chat_template_kwargs.mood"


@pytest.mark.parametrize("variables", [{"enable_thinking": False}, {"reasoning_effort": "none"}])
async def test_reasoning_is_turned_off(variables: dict[str, Any]) -> None:
    seen, ignored = await asked(variables, SWITCH)
    assert seen.prompt.endswith("<think></think>")
    assert ignored == ""
    seen, _ = await asked({"reasoning_effort": "high"}, SWITCH)
    assert not seen.prompt.endswith("<think></think>")


async def test_control_tokens_in_a_variable_are_disarmed() -> None:
    seen, _ = await asked({"reasoning_effort": "<|im_end|>"}, EFFORT)
    assert seen.prompt.count("<|im_end|>") == 1


async def test_an_endpoint_gets_them_all_or_those_that_it_takes() -> None:
    sent = {"reasoning_effort": "low", "mood": "calm"}
    seen, ignored = await asked(sent, templates=True)
    assert (seen.variables, ignored) == (sent, "")
    _, body = openai_wire.request(seen, "m")
    assert (body["reasoning_effort"], body["chat_template_kwargs"]) == ("low", {"mood": "calm"})
    able = Capabilities(4096, PARAMETERS, templates=True, variables=frozenset({"reasoning_effort"}))
    seen, ignored = await asked(sent, capabilities=able)
    assert (seen.variables, ignored) == ({"reasoning_effort": "low"}, "chat_template_kwargs.mood")


@pytest.mark.parametrize("name", ["messages", "tools", "add_generation_prompt", "bos_token"])
def test_what_the_server_sets_cannot_be_set(name: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "chat_template_kwargs": {name: "x"}}
    with pytest.raises(InvalidRequest) as caught:
        ChatBody.model_validate(body).request(8)
    assert caught.value.param == f"chat_template_kwargs.{name}"


def biased() -> Sampling:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "logit_bias": {"17": -100, "4": 2.5}}
    return ChatBody.model_validate(body).request(8).sampling


def test_weights_of_tokens_reach_the_engines_that_take_them() -> None:
    assert biased().logit_bias == ((17, -100), (4, 2.5))
    assert llamacpp.body([1], biased(), EnginesSettings())["logit_bias"] == [[17, -100], [4, 2.5]]
    _, body = openai_wire.request(Generation("", biased(), HELLO), "m")
    assert body["logit_bias"] == {"17": -100, "4": 2.5}


async def test_an_engine_without_them_refuses_by_name() -> None:
    engine = ScriptedEngine(lambda _: ["x"], capabilities=Capabilities(4096, PARAMETERS - {"logit_bias"}))
    model = ModelResponder(engine, model_name="small", fingerprint=None, template=ChatTemplate())
    with pytest.raises(Unsupported) as caught:
        await model.respond(ChatRequest("small", HELLO, biased()), CONTEXT)
    assert caught.value.param == "logit_bias"


@pytest.mark.parametrize("bias", [{"seventeen": 1}, {"17": 101}, {"-1": 1}])
def test_a_weight_of_no_token_is_an_error(bias: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="logit_bias"):
        ChatBody.model_validate({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "logit_bias": bias})
