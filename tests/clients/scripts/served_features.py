"""What features serve under names of models (agents, judges, variants, applications), through the official clients."""

import json
import uuid

import anthropic
import openai
from checks import BASE, COLLECTION, KEY, QUESTION, SCRIPTED, URL, check, raises, run
from shapes import sent

client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0)
claude = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)
AGENT = f"clients-{uuid.uuid4().hex[:8]}"
CODE = 'CALL code_interpreter {"code": "print(6 * 7)"}'
LOOK = {
    "name": "look",
    "description": "Looks",
    "parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
}


def user(text):
    return [{"role": "user", "content": text}]


def chat(model, text, **more):
    return client.chat.completions.create(model=model, messages=user(text), **more)


def streamed(model, text, **more):
    chunks = list(chat(model, text, stream=True, stream_options={"include_usage": True}, **more))
    said = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    assert [each.choices[0].finish_reason for each in chunks if each.choices and each.choices[0].finish_reason]
    assert chunks[-1].usage is not None
    return said


def messages(model, text, **more):
    return claude.messages.create(**{"model": model, "max_tokens": 200, "messages": user(text)} | more)


def listed():
    return {each.id for each in client.models.list()}


@check("agent.made_and_listed")
def _():
    definition = {"name": AGENT, "model": SCRIPTED, "instruction": "Repeat.", "description": "Repeats what is said."}
    sent("/agents", {"definition": definition})
    assert AGENT in listed()
    assert client.models.retrieve(AGENT).id == AGENT
    assert AGENT in {each.id for each in claude.models.list(limit=1000)}


@check("agent.chat")
def _():
    answer = chat(AGENT, "SAY good morning")
    assert answer.choices[0].message.content == "good morning"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0


@check("agent.chat_stream")
def _():
    assert streamed(AGENT, "SAY good morning") == "good morning"


@check("agent.tools_of_the_client")
def _():
    tools = [{"type": "function", "function": LOOK}]
    asked = user('CALL look {"at": "it"}')
    first = client.chat.completions.create(model=AGENT, messages=asked, tools=tools).choices[0]
    assert first.finish_reason == "tool_calls"
    [call] = first.message.tool_calls
    assert json.loads(call.function.arguments) == {"at": "it"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "seen"}
    again = client.chat.completions.create(model=AGENT, messages=[*asked, first.message, result], tools=tools)
    assert "seen" in again.choices[0].message.content


@check("agent.responses")
def _():
    assert client.responses.create(model=AGENT, input="SAY good morning").output_text == "good morning"
    with client.responses.stream(model=AGENT, input="SAY good morning") as stream:
        whole = stream.get_final_response() if list(stream) else None
    assert whole.output_text == "good morning"


@check("agent.responses_previous")
def _():
    first = client.responses.create(model=AGENT, input="SAY one")
    assert client.responses.create(model=AGENT, input="SAY two", previous_response_id=first.id).output_text == "two"


@check("agent.messages")
def _():
    assert messages(AGENT, "SAY good morning").content[0].text == "good morning"
    with claude.messages.stream(model=AGENT, max_tokens=99, messages=user("SAY good morning")) as stream:
        assert stream.get_final_text() == "good morning"


@check("agent.messages_tools")
def _():
    tools = [{"name": "look", "input_schema": LOOK["parameters"]}]
    used = messages(AGENT, 'CALL look {"at": "it"}', tools=tools)
    assert (used.stop_reason, used.content[-1].input) == ("tool_use", {"at": "it"})


@check("agent.structured")
def _():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    assert json.loads(chat(AGENT, "A number.", response_format=wanted).choices[0].message.content) == {"a": 7}


@check("agent.hosted_tools_are_refused")
def _():
    asked = {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}
    error = raises(openai.BadRequestError, lambda: client.responses.create(model=AGENT, input="Hi", **asked))
    assert "not a chat model" in str(error)


@check("agent.n_is_refused")
def _():
    assert "n" in str(raises(openai.BadRequestError, lambda: chat(AGENT, "SAY a", n=2)))


@check("judge.chat")
def _():
    item = json.dumps({"question": "Which?", "answer": "The first.", "passages": ["The first."]})
    found = json.loads(chat("judge:faithfulness", item).choices[0].message.content)
    assert 0 <= found["score"] <= 1
    assert 0 <= json.loads(streamed("judge:faithfulness", item))["score"] <= 1
    assert 0 <= json.loads(messages("judge:faithfulness", item).content[0].text)["score"] <= 1
    assert 0 <= json.loads(client.responses.create(model="judge:faithfulness", input=item).output_text)["score"] <= 1


@check("judge.no_item")
def _():
    raises(openai.BadRequestError, lambda: chat("judge:faithfulness", "no item"))
    raises(anthropic.BadRequestError, lambda: messages("judge:faithfulness", "no item"))


@check("variant.candidate")
def _():
    value = {"weights": {"before": 0.4}}
    candidate = sent("/variants", {"kind": "answering", "application": "document-qa", "value": value})["model"]
    assert candidate.startswith("document-qa@")
    assert "9 months" in chat(candidate, QUESTION).choices[0].message.content
    assert "9 months" in messages(candidate, QUESTION).content[0].text
    assert "9 months" in client.responses.create(model=candidate, input=QUESTION).output_text


@check("auto.chat")
def _():
    assert chat("auto", "Say hello.", max_tokens=8).choices[0].message.content
    assert messages("auto", "Say hello.", max_tokens=8).content[0].text


@check("applications.all_answer_or_say_why")
def _():
    """Whatever is listed answers each client, or refuses with a status below 500 and words."""
    wrong = []
    # Another agent's own server does not run.
    for model in sorted(listed() - {"adk"}):
        for ask in (
            lambda model=model: chat(model, "Hello there.", max_tokens=4),
            lambda model=model: streamed(model, "Hello there.", max_tokens=4),
            lambda model=model: messages(model, "Hello there.", max_tokens=4),
            lambda model=model: client.responses.create(model=model, input="Hello there.", max_output_tokens=4),
        ):
            told = _refusal(ask)
            wrong += [f"{model}: {told}"] if told else []
    assert not wrong, wrong


def _refusal(ask):
    """What a refusal says that is none: a failure, or one without words."""
    try:
        ask()
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        told = str(error)
        fine = (error.status_code < 500 or error.status_code in (501, 503)) and len(told) > 40
        return "" if fine else told
    return ""


@check("applications.what_is_not_read_is_told")
def _():
    """An answer that no model draws has no stops and no second one; what steers drawing is named."""
    item = json.dumps({"question": "Which?", "answer": "The first.", "passages": ["The first."]})
    for model, text in (("judge:faithfulness", item), (COLLECTION, QUESTION), ("content", "The Tarn press")):
        for param, value in (("stop", ["the"]), ("n", 2), ("logprobs", True)):
            error = raises(
                openai.BadRequestError, lambda a=(model, text, param, value): chat(a[0], a[1], **{a[2]: a[3]})
            )
            assert error.param == param, f"{model}: {error}"
        create = client.chat.completions.with_raw_response.create
        raw = create(model=model, messages=user(text), max_tokens=4, temperature=0.5)
        assert raw.headers.get("x-mainspring-ignored") == "max_tokens, temperature", f"{model}: {raw.headers}"
        plain = create(model=model, messages=user(text))
        assert "x-mainspring-ignored" not in plain.headers, f"{model}: {plain.headers}"


@check("collection.agents_tools")
def _():
    tools = [{"type": "function", "function": LOOK}]
    assert "9 months" in chat(COLLECTION, QUESTION, tools=tools).choices[0].message.content


@check("translate.route")
def _():
    detected = sent("/translate/detect", {"text": "Wo ist der Bahnhof? Where is the station, please?"})
    assert "detected" in detected


@check("code.complete")
def _():
    asked = {"prefix": "def mean(values):\n    ", "suffix": "\n", "language": "python", "options": {"max_tokens": 8}}
    assert "completion" in sent("/code/complete", asked)


@check("agent.deleted")
def _():
    sent(f"/agents/{AGENT}", method="DELETE")
    raises(openai.NotFoundError, lambda: chat(AGENT, "SAY a"))
    raises(anthropic.NotFoundError, lambda: messages(AGENT, "SAY a"))


run("features (official clients)", "openai", "anthropic")
