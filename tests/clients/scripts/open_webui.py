"""Open WebUI, a web application that is too heavy to install here: its requests, in their shape."""

from checks import COLLECTION, EMBEDDER, PARIS, QUESTION, SCRIPTED, SMALL, check, run
from shapes import WEATHER, said, sent

# Open WebUI takes its headers along, and asks a model for titles, tags and queries beside each conversation.
USER = {
    "X-OpenWebUI-User-Name": "Ada",
    "X-OpenWebUI-User-Id": "5f0c6f3e",
    "X-OpenWebUI-User-Email": "ada@example.com",
    "X-OpenWebUI-User-Role": "user",
    "X-OpenWebUI-Chat-Id": "c1",
}


def open_webui(text, **more):
    body = {"stream": True, "model": SCRIPTED, "messages": [{"role": "user", "content": text}]}
    return sent("/chat/completions", body | more, **USER)


@check("models")
def _():
    assert {"id", "object", "created", "owned_by"} <= set(sent("/models", **USER)["data"][0])


@check("chat.stream")
def _():
    assert said(open_webui("SAY one two", stream_options={"include_usage": True})) == "one two"


@check("chat.parameters")
def _():
    parameters = {"temperature": 0.8, "top_p": 0.9, "seed": 1, "stop": ["zzz"], "max_tokens": 50}
    assert said(open_webui("hello", model=SMALL, **parameters, frequency_penalty=0, presence_penalty=0)) is not None


@check("chat.reasoning_effort")
def _():
    assert said(open_webui("SAY yes", reasoning_effort="medium")) == "yes"


@check("chat.logit_bias_empty")
def _():
    assert said(open_webui("SAY yes", logit_bias={})) == "yes"


@check("chat.collection")
def _():
    assert "9 months" in said(open_webui(QUESTION, model=COLLECTION))


@check("chat.tools_native")
def _():
    events = open_webui(PARIS, tools=[WEATHER])
    assert any(event["choices"][0]["delta"].get("tool_calls") for event in events if event["choices"])


@check("chat.title")
def _():
    asked = (
        "### Task:\nWrite a short title of three to five words for the conversation below.\n### Rules:\n"
        "- Name its subject in its language.\n- Answer with a JSON object and nothing else.\n"
        '### Output:\n{ "title": "..." }\n### Conversation:\nUSER: How long does tea steep?\nASSISTANT: Two minutes.'
    )
    body = {"model": SCRIPTED, "stream": False, "max_completion_tokens": 1000}
    answer = sent("/chat/completions", body | {"messages": [{"role": "user", "content": asked}]}, **USER)
    assert answer["choices"][0]["message"]["content"]


@check("chat.retrieval")
def _():
    asked = (
        "### Task:\nAnswer the user's question with the sources below, and cite them as [id].\n\n### Guidelines:\n"
        "- If you do not know the answer, say so.\n- Answer in the language of the question.\n"
        '<context>\n<source id="1" name="tea.txt">Green tea steeps for two minutes.</source>\n</context>\n\n'
        "<user_query>\nHow long does green tea steep?\n</user_query>"
    )
    assert said(open_webui(asked))


@check("embeddings")
def _():
    assert len(sent("/embeddings", {"input": ["one", "two"], "model": EMBEDDER}, **USER)["data"]) == 2


if __name__ == "__main__":
    run("Open WebUI (its requests)")
