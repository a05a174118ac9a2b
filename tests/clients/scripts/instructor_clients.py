"""instructor: structured output over tools, JSON schemas, responses and messages."""

from typing import Literal

import anthropic
import instructor
import openai
from checks import BASE, KEY, SCRIPTED, SMALL, URL, check, run
from pydantic import BaseModel, Field


class Event(BaseModel):
    name: str = Field(max_length=20)
    count: int = Field(ge=0, le=99)
    kind: Literal["talk", "party"]


ASKED = [{"role": "user", "content": "An event"}]
MODES = {
    mode.name.lower(): mode
    for mode in (
        instructor.Mode.TOOLS,
        instructor.Mode.TOOLS_STRICT,
        instructor.Mode.JSON,
        instructor.Mode.JSON_SCHEMA,
        instructor.Mode.PARALLEL_TOOLS,
    )
}


def client(mode):
    return instructor.from_openai(openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0), mode=mode)


@check("create", {name: mode for name, mode in MODES.items() if name != "json" and "parallel" not in name})
def _(mode):
    made = client(mode).chat.completions.create(model=SCRIPTED, messages=ASKED, response_model=Event, max_retries=0)
    assert made.kind == "talk"


@check("small_model", {name: mode for name, mode in MODES.items() if name in ("tools", "json_schema")})
def _(mode):
    made = client(mode).chat.completions.create(
        model=SMALL, messages=ASKED, response_model=Event, max_tokens=200, max_retries=0
    )
    assert made.kind in ("talk", "party")


@check("json.create")
def _():
    asked = [{"role": "user", "content": 'SAY {"name": "a", "count": 1, "kind": "talk"}'}]
    made = client(instructor.Mode.JSON).chat.completions.create(
        model=SCRIPTED, messages=asked, response_model=Event, max_retries=0
    )
    assert made.count == 1


@check("tools.partial_stream")
def _():
    stream = client(instructor.Mode.TOOLS).chat.completions.create_partial(
        model=SCRIPTED, messages=ASKED, response_model=Event
    )
    assert list(stream)[-1].kind == "talk"


@check("json_schema.partial_stream")
def _():
    stream = client(instructor.Mode.JSON_SCHEMA).chat.completions.create_partial(
        model=SCRIPTED, messages=ASKED, response_model=Event
    )
    assert list(stream)[-1].kind == "talk"


@check("tools.with_completion")
def _():
    made, raw = client(instructor.Mode.TOOLS).chat.completions.create_with_completion(
        model=SCRIPTED, messages=ASKED, response_model=Event
    )
    assert made.kind == "talk"
    assert raw.usage.total_tokens


@check("responses.create")
def _():
    made = client(instructor.Mode.RESPONSES_TOOLS).responses.create(
        model=SCRIPTED, input="An event", response_model=Event
    )
    assert made.kind == "talk"


@check("messages.create", {"tools": instructor.Mode.TOOLS})
def _(mode):
    other = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)
    made = instructor.from_anthropic(other, mode=mode).messages.create(
        model=SCRIPTED, max_tokens=200, messages=ASKED, response_model=Event, max_retries=0
    )
    assert made.kind == "talk"


@check("async.create")
async def _():
    other = instructor.from_openai(openai.AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0))
    made = await other.chat.completions.create(model=SCRIPTED, messages=ASKED, response_model=Event)
    assert made.kind == "talk"


if __name__ == "__main__":
    run("instructor", "instructor", "openai", "anthropic")
