"""Stands in for ``vllm serve`` on its command line and its wire: ``python fake_vllm.py MODEL [options] --uds PATH``.

It echoes word by word. The model ``broken`` ends as a server does that cannot load its model; ``slow`` waits between
words.
"""

import argparse
import asyncio
import json
import os
import sys

from aiohttp import web


async def health(_: web.Request) -> web.Response:
    return web.Response()


async def tokenize(request: web.Request) -> web.Response:
    body = await request.json()
    return web.json_response({"count": len(body["prompt"].split()), "tokens": []})


async def answer(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    words = body["messages"][-1]["content"].split() if "messages" in body else body["prompt"].split()
    if "structured_outputs" in body or "top_k" in body:
        words = [json.dumps({name: body[name] for name in ("structured_outputs", "top_k") if name in body})]
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for word in words:
        piece = {"delta": {"content": word + " "}} if "messages" in body else {"text": word + " "}
        await response.write(b"data: " + json.dumps({"choices": [{"index": 0, **piece}]}).encode() + b"\n\n")
        await asyncio.sleep(1.0 if OPTIONS.model == "slow" else 0)
    usage: dict[str, object] = {"prompt_tokens": len(words), "completion_tokens": len(words)}
    if OPTIONS.enable_prompt_tokens_details:
        usage["prompt_tokens_details"] = {"cached_tokens": len(words) - 1}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
    await response.write(b"data: " + json.dumps(last).encode() + b"\n\ndata: [DONE]\n\n")
    return response


def application() -> web.Application:
    made = web.Application()
    made.router.add_get("/health", health)
    made.router.add_post("/tokenize", tokenize)
    made.router.add_post("/v1/chat/completions", answer)
    made.router.add_post("/v1/completions", answer)
    return made


parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--uds")
parser.add_argument("--served-model-name")
parser.add_argument("--generation-config")
parser.add_argument("--max-model-len")
parser.add_argument("--enable-prompt-tokens-details", action=argparse.BooleanOptionalAction)
OPTIONS = parser.parse_args()

if __name__ == "__main__":
    if OPTIONS.model == "broken":
        print("INFO loading weights", flush=True)
        print("ValueError: no such model: " + os.environ.get("WHERE", ""), file=sys.stderr, flush=True)
        sys.exit(1)
    web.run_app(application(), path=OPTIONS.uds, print=None)
