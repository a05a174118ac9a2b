"""What scripts share that send a client's requests in their shape: the fields are the client's, the texts are ours."""

import json
import urllib.request

from checks import BASE, KEY

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def sent(path, body=None, method=None, **headers):
    """The JSON answer, or the events of a stream."""
    request = urllib.request.Request(
        BASE + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **headers},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
    if not text:
        return None
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return json.loads(text)
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


def said(events):
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])
