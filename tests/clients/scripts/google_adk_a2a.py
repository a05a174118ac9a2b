"""google-adk over A2A, both ways: its remote agent asks the server, and the server asks an agent that it serves."""

import asyncio
import json
import urllib.request
from urllib.parse import urlsplit

import httpx
import uvicorn
from a2a.client import ClientConfig, ClientFactory
from checks import ADK, COLLECTION, KEY, QUESTION, URL, Refused, check, run
from google.adk.a2a.utils.agent_to_a2a import to_a2a
from google.adk.agents import LlmAgent
from google.adk.agents.remote_a2a_agent import RemoteA2aAgent
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import InMemoryRunner
from google.genai import types


class Echo(BaseLlm):
    """A model that repeats the last message."""

    async def generate_content_async(self, llm_request, stream=False):
        said = [part.text for content in llm_request.contents for part in content.parts if part.text]
        yield LlmResponse(content=types.Content(role="model", parts=[types.Part(text=f"ADK heard: {said[-1]}")]))


def remote(name, streaming=True):
    http = httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}", "a2a-version": "1.0"}, timeout=60)
    factory = ClientFactory(ClientConfig(httpx_client=http, streaming=streaming))
    card = f"{URL}/a2a/{name}/.well-known/agent-card.json"
    return RemoteA2aAgent(name="there", agent_card=card, a2a_client_factory=factory)


async def asked(agent, *questions):
    runner = InMemoryRunner(agent=agent, app_name="checks")
    session = await runner.session_service.create_session(app_name="checks", user_id="u")
    found = []
    for question in questions:
        message = types.Content(role="user", parts=[types.Part(text=question)])
        said = ""
        async for event in runner.run_async(user_id="u", session_id=session.id, new_message=message):
            assert not event.error_message, event.error_message
            said += "".join(part.text or "" for part in (event.content.parts if event.content else None) or [])
        found.append(said)
    return found


@check("remote_agent.collection", {"stream": True, "whole": False})
async def _(streaming):
    [said] = await asked(remote(COLLECTION, streaming), QUESTION)
    assert "9 months" in said, said


@check("remote_agent.a_second_turn")
async def _():
    first, second = await asked(remote("scripted"), "SAY one", "hello")
    assert first == "one", first
    # The context is a session: the model has read the first turn, too.
    assert "I have read 3 messages" in second, second


@check("remote_agent.sub_agent")
async def _():
    """A conversation is handed over to it. ADK sends notes on the handover along, which the default guards may take for
    instructions."""

    class Boss(BaseLlm):
        async def generate_content_async(self, llm_request, stream=False):
            call = types.FunctionCall(name="transfer_to_agent", args={"agent_name": "there"}, id="1")
            yield LlmResponse(content=types.Content(role="model", parts=[types.Part(function_call=call)]))

    [said] = await asked(LlmAgent(name="boss", model=Boss(model="boss"), sub_agents=[remote(COLLECTION)]), QUESTION)
    if "refused by policy" in said:
        raise Refused(said)
    assert "9 months" in said, said


@check("to_a2a.asked_by_the_server")
async def _():
    """An agent of ADK's, named in the server's configuration, is asked as one of the server's models."""
    there = urlsplit(ADK)
    app = to_a2a(
        LlmAgent(name="echo", model=Echo(model="echo"), description="Repeats."), host=there.hostname, port=there.port
    )
    server = uvicorn.Server(uvicorn.Config(app, host=there.hostname, port=there.port, log_level="error"))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.05)
        body = {"model": "adk", "messages": [{"role": "user", "content": "good morning"}]}
        request = urllib.request.Request(
            f"{URL}/v1/chat/completions",
            json.dumps(body).encode(),
            {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
        )
        answer = json.loads(await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=60).read()))
        assert "ADK heard: good morning" in answer["choices"][0]["message"]["content"], answer
    finally:
        server.should_exit = True
        await serving


run("google-adk", "google-adk", "a2a-sdk")
