"""LiteLLM's SDK: the providers ``openai``, ``hosted_vllm``, ``anthropic`` and ``text-completion-openai``."""

import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["ANTHROPIC_API_BASE"] = os.environ.get("CLIENTS_URL", "")

import litellm
from checks import (
    BASE,
    BOTH,
    CLAUDE,
    COLLECTION,
    EMBEDDER,
    KEY,
    PARIS,
    QUESTION,
    RERANKER,
    SCRIPTED,
    SMALL,
    URL,
    check,
    raises,
    run,
)
from pydantic import BaseModel

litellm.suppress_debug_info = True
litellm.telemetry = False
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class City(BaseModel):
    name: str
    people: int


def user(text):
    return [{"role": "user", "content": text}]


def said(text, model="openai/" + SCRIPTED, **more):
    base = URL if model.startswith("anthropic/") else BASE
    return litellm.completion(
        **{"model": model, "messages": user(text), "api_base": base, "api_key": KEY, "num_retries": 0} | more
    )


PROVIDERS = {name: name for name in ("openai", "hosted_vllm", "anthropic")}


@check("completion", PROVIDERS)
def _(provider):
    answer = said("SAY Good morning.", f"{provider}/{SCRIPTED}")
    assert answer.choices[0].message.content == "Good morning."
    assert answer.usage.completion_tokens > 0


@check("stream", PROVIDERS)
def _(provider):
    chunks = list(said("SAY one two", f"{provider}/{SCRIPTED}", stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two"
    assert litellm.stream_chunk_builder(chunks, messages=user("x")).usage.completion_tokens > 0


@check("async", PROVIDERS)
async def _(provider):
    base = URL if provider == "anthropic" else BASE
    answer = await litellm.acompletion(
        model=f"{provider}/{SCRIPTED}", messages=user("SAY yes"), api_base=base, api_key=KEY
    )
    assert answer.choices[0].message.content == "yes"


@check("tools_parallel", PROVIDERS)
def _(provider):
    calls = (
        said(BOTH, f"{provider}/{SCRIPTED}", tools=[WEATHER], parallel_tool_calls=True).choices[0].message.tool_calls
    )
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Paris", "Rome"]


@check("tools_round_trip", PROVIDERS)
def _(provider):
    first = said(PARIS, f"{provider}/{SCRIPTED}", tools=[WEATHER]).choices[0].message
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "sunny"}
    then = said("", f"{provider}/{SCRIPTED}", messages=[*user(PARIS), first, result], tools=[WEATHER])
    assert then.choices[0].message.content == "The tools said: sunny"


@check("tools_required", PROVIDERS)
def _(provider):
    assert (
        said("hello", f"{provider}/{SCRIPTED}", tools=[WEATHER], tool_choice="required").choices[0].message.tool_calls
    )


@check("tools_streamed", PROVIDERS)
def _(provider):
    chunks = list(said(PARIS, f"{provider}/{SCRIPTED}", tools=[WEATHER], stream=True))
    calls = litellm.stream_chunk_builder(chunks).choices[0].message.tool_calls
    assert json.loads(calls[0].function.arguments) == {"city": "Paris"}


@check("structured", PROVIDERS)
def _(provider):
    answer = said("A city", f"{provider}/{SCRIPTED}", response_format=City)
    assert City.model_validate_json(answer.choices[0].message.content).people == 7


@check("sampling_small_model", PROVIDERS)
def _(provider):
    more = {} if provider == "anthropic" else {"seed": 7}
    answer = said("hello", f"{provider}/{SMALL}", max_tokens=8, temperature=0.5, top_p=0.9, stop=["zzz"], **more)
    assert answer.choices[0].message.content


@check("unknown_model", PROVIDERS)
def _(provider):
    raises(litellm.NotFoundError, lambda: said("hello", f"{provider}/nothing"))


@check("authentication", PROVIDERS)
def _(provider):
    raises(litellm.AuthenticationError, lambda: said("hello", f"{provider}/{SCRIPTED}", api_key="ms-wrong"))


@check("context_window", PROVIDERS)
def _(provider):
    raises(litellm.ContextWindowExceededError, lambda: said("word " * 20_000, f"{provider}/{SMALL}"))


@check("hints", PROVIDERS)
def _(provider):
    assert (
        said("SAY yes", f"{provider}/{SCRIPTED}", user="ada", metadata={"run": "1"}).choices[0].message.content == "yes"
    )


@check("reasoning_effort", PROVIDERS)
def _(provider):
    more = {"reasoning_effort": "low", "allowed_openai_params": ["reasoning_effort"]}
    model = SCRIPTED
    if provider == "anthropic":
        # It sends thinking to names of Anthropic's models alone.
        more, model = {"thinking": {"type": "enabled", "budget_tokens": 1024}}, CLAUDE
    assert said("SAY yes", f"{provider}/{model}", max_tokens=4000, **more).choices[0].message.content == "yes"


@check("openai.collection")
def _():
    assert "9 months" in said(QUESTION, "openai/" + COLLECTION).choices[0].message.content


@check("openai.bad_request")
def _():
    raises(litellm.BadRequestError, lambda: said("hello", temperature=9))


@check("openai.json_object")
def _():
    answer = said("JSON", "openai/" + SMALL, response_format={"type": "json_object"}, max_tokens=20)
    assert answer.choices[0].message.content


@check("openai.embedding")
def _():
    answer = litellm.embedding(model="openai/" + EMBEDDER, input=["one", "two"], api_base=BASE, api_key=KEY)
    assert len(answer.data) == 2


@check("openai.moderation")
def _():
    made = litellm.moderation(input="hello", model="omni-moderation-latest", api_base=BASE, api_key=KEY)
    assert made.results


@check("openai.text_completion")
def _():
    model = "text-completion-openai/" + SMALL
    answer = litellm.text_completion(model=model, prompt="Once", api_base=BASE, api_key=KEY, max_tokens=4)
    assert answer.choices[0].text


@check("openai.responses")
def _():
    answer = litellm.responses(model="openai/" + SCRIPTED, input="SAY yes", api_base=BASE, api_key=KEY)
    assert answer.output[0].content[0].text == "yes"


@check("openai.responses_stream")
def _():
    stream = litellm.responses(model="openai/" + SCRIPTED, input="SAY yes", api_base=BASE, api_key=KEY, stream=True)
    assert [str(event.type.value) for event in stream][-1] == "response.completed"


@check("openai.responses_previous")
def _():
    more = {"model": "openai/" + SCRIPTED, "api_base": BASE, "api_key": KEY}
    first = litellm.responses(input="My name is Ada.", **more)
    then = litellm.responses(input="Who am I?", previous_response_id=first.id, **more)
    assert "read 3 messages" in then.output[0].content[0].text


@check("rerank.cohere_style")
def _():
    answer = litellm.rerank(
        model="jina_ai/" + RERANKER,
        query="tea",
        documents=["green tea", "a stone"],
        top_n=1,
        api_base=BASE + "/rerank",
        api_key=KEY,
    )
    assert answer.results


@check("router.fallback")
def _():
    parameters = {"api_base": BASE, "api_key": KEY}
    router = litellm.Router(
        model_list=[
            {"model_name": "first", "litellm_params": {"model": "openai/nothing", **parameters}},
            {"model_name": "second", "litellm_params": {"model": "openai/" + SCRIPTED, **parameters}},
        ],
        fallbacks=[{"first": ["second"]}],
        num_retries=0,
    )
    assert router.completion(model="first", messages=user("SAY yes")).choices[0].message.content == "yes"


@check("router.context_window_fallback")
def _():
    parameters = {"api_base": BASE, "api_key": KEY}
    router = litellm.Router(
        model_list=[
            {"model_name": "short", "litellm_params": {"model": "openai/" + SMALL, **parameters}},
            {"model_name": "long", "litellm_params": {"model": "openai/" + SCRIPTED, **parameters}},
        ],
        context_window_fallbacks=[{"short": ["long"]}],
        num_retries=0,
    )
    answer = router.completion(model="short", messages=user("word " * 20_000))
    assert "I have read" in answer.choices[0].message.content


if __name__ == "__main__":
    run("LiteLLM", "litellm", "openai")
