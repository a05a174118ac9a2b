"""Continue, an extension of editors that cannot run here: its requests, in their shape."""

from checks import EMBEDDER, PARIS, SCRIPTED, SMALL, check, run
from shapes import WEATHER, said, sent


@check("chat.stream")
def _():
    body = {"model": SCRIPTED, "messages": [{"role": "user", "content": "SAY one two"}], "max_tokens": 4096}
    assert said(sent("/chat/completions", body | {"stream": True, "stop": [], "temperature": 0.5})) == "one two"


@check("chat.parts_and_tools")
def _():
    content = [{"type": "text", "text": PARIS}]
    tool = WEATHER | {"function": WEATHER["function"] | {"strict": False}}
    body = {"model": SCRIPTED, "messages": [{"role": "user", "content": content}], "tools": [tool], "stream": True}
    events = sent("/chat/completions", body | {"parallel_tool_calls": False})
    assert any(event["choices"][0]["delta"].get("tool_calls") for event in events if event["choices"])


@check("autocomplete.fim_prompt")
def _():
    body = {"model": SMALL, "prompt": "def add(a, b):\n    return", "max_tokens": 16, "temperature": 0.01}
    events = sent("/completions", body | {"stream": True, "stop": ["\n\n", "```"]})
    assert events[-1]["choices"]


@check("edit.prediction")
def _():
    body = {"model": SCRIPTED, "messages": [{"role": "user", "content": "SAY yes"}], "stream": True}
    prediction = {"type": "content", "content": "yes"}
    assert said(sent("/chat/completions", body | {"prediction": prediction})) == "yes"


@check("embeddings")
def _():
    assert sent("/embeddings", {"input": ["one"], "model": EMBEDDER})["data"][0]["embedding"]


@check("rerank")
def _():
    body = {"query": "tea", "documents": ["green tea", "a stone"], "model": "late:all-minilm-l6-v2"}
    assert sent("/rerank", body)["results" if "results" in sent("/rerank", body) else "data"]


@check("models")
def _():
    assert sent("/models")["data"]


if __name__ == "__main__":
    run("Continue (its requests)")
