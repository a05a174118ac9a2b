"""The worst that one tenant does, over HTTP, until it is stopped: ``python benchmarks/_storm.py THING URL KEY``.

Prints a line when it has begun, and at its end (on standard input) how much it did.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import json
import random
import sys
from collections.abc import Awaitable, Callable

import aiohttp

SMALL, FAR = "smollm2-135m-instruct", "stub"
MB = 1_000_000
WORDS = "ledger harbour turbine orchard lantern glacier saddle copper meadow violin anchor basalt ferry tundra".split()
Storm = Callable[["Attacker"], Awaitable[None]]


class Attacker:
    """One key of one tenant, and what its requests came to: statuses counted."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.seen: collections.Counter[str] = collections.Counter()
        self.stores: list[object] = []
        self.batches: list[object] = []

    async def post(self, path: str, body: object = None, data: object = None) -> dict[str, object]:
        """The JSON of the answer; {} where it is none. A stream is read to its end."""
        try:
            async with self.session.post(path, json=body, data=data) as response:
                raw = await response.read()
                self.seen[str(response.status)] += 1
                with contextlib.suppress(ValueError):
                    found = json.loads(raw)
                    return found if isinstance(found, dict) else {}
        except (aiohttp.ClientError, OSError) as error:
            self.seen[type(error).__name__] += 1
        return {}

    async def undo(self) -> None:
        """Ends what would go on without it: its batches, and what is still read into its stores."""
        for batch in self.batches:
            async with self.session.post(f"/v1/batches/{batch}/cancel") as cancelled:
                await cancelled.read()
        for store in self.stores:
            async with self.session.delete(f"/v1/vector_stores/{store}") as deleted:
                await deleted.read()

    async def for_ever(self, many: int, act: Callable[[int], Awaitable[object]]) -> None:
        """``many`` of them at a time, one after the other."""
        numbers = itertools.count()

        async def one() -> None:
            while True:
                await act(next(numbers))
                # Who is refused tries again, and soon.
                await asyncio.sleep(0.05)

        await asyncio.gather(*(one() for _ in range(many)))


def text(size: int, seed: int) -> bytes:
    """``size`` bytes of sentences that no two seeds share."""
    draw = random.Random(seed)
    parts: list[str] = []
    length = 0
    while length < size:
        sentence = f"{' '.join(draw.choices(WORDS, k=12))} {draw.getrandbits(40)}.".capitalize()
        parts.append(sentence + ("\n\n" if len(parts) % 5 == 4 else " "))
        length += len(parts[-1])
    return "".join(parts).encode()[:size]


async def chats(it: Attacker) -> None:
    """34 long answers of the small model at a time."""

    async def chat(number: int) -> object:
        said = [{"role": "user", "content": f"Story {number}: tell it at great length."}]
        more = {"max_tokens": 1900, "ignore_eos": True, "stream": True, "options": {"cache": False}}
        return await it.post("/v1/chat/completions", {"model": SMALL, "messages": said, **more})

    await it.for_ever(34, chat)


async def ingest(it: Attacker) -> None:
    """A file of 12 MB after the other, attached to a store."""
    store = await it.post("/v1/vector_stores", {"name": f"tomes-{random.getrandbits(30)}"})
    it.stores.append(store.get("id"))
    for number in itertools.count():
        form = aiohttp.FormData({"purpose": "assistants"})
        form.add_field("file", text(12 * MB, random.getrandbits(30)), filename=f"tome{number}.txt")
        file = await it.post("/v1/files", data=form)
        await it.post(f"/v1/vector_stores/{store.get('id')}/files", {"file_id": file.get("id")})
        await asyncio.sleep(5)


async def grammars(it: Attacker) -> None:
    """Schemas of long chains of references, and expressions that compile for ever."""

    async def grammar(number: int) -> object:
        if number % 2:
            defs = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(1900)} | {"d1900": {"type": "string"}}
            schema: dict[str, object] = {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": defs}
            schema["title"] = f"t{number}"
            form: dict[str, object] = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
        else:
            form = {"type": "regex", "regex": f"(((a{{1,200}}){{1,200}}){{1,{100 + number % 900}}})"}
        said = [{"role": "user", "content": "Go."}]
        body = {"model": SMALL, "messages": said, "max_tokens": 8, "response_format": form}
        return await it.post("/v1/chat/completions", body)

    await it.for_ever(6, grammar)


async def uploads(it: Attacker) -> None:
    """Files of 8 MB, four at a time."""
    held = text(8 * MB, 1)

    async def upload(number: int) -> object:
        form = aiohttp.FormData({"purpose": "assistants"})
        form.add_field("file", f"{number} {random.getrandbits(60)} ".encode() + held, filename=f"u{number}.txt")
        return await it.post("/v1/files", data=form)

    await it.for_ever(4, upload)


async def searches(it: Attacker) -> None:
    """Sixteen searches at a time, over a store of its own."""
    store = await it.post("/v1/vector_stores", {"name": f"small-{random.getrandbits(30)}"})
    form = aiohttp.FormData({"purpose": "assistants"})
    form.add_field("file", text(200_000, 3), filename="small.txt")
    file = await it.post("/v1/files", data=form)
    await it.post(f"/v1/vector_stores/{store.get('id')}/files", {"file_id": file.get("id")})

    async def search(number: int) -> object:
        query = f"{' '.join(random.choices(WORDS, k=6))} {number}"
        return await it.post(f"/v1/vector_stores/{store.get('id')}/search", {"query": query, "max_num_results": 50})

    await it.for_ever(16, search)


async def batches(it: Attacker) -> None:
    """Batches of 500 lines for the small model."""

    async def batch(number: int) -> object:
        said = [{"role": "user", "content": "Tell me more."}]
        body = {"model": SMALL, "messages": said, "max_tokens": 200, "options": {"cache": False}}
        lines = (
            {"custom_id": f"l{n}", "method": "POST", "url": "/v1/chat/completions", "body": body} for n in range(500)
        )
        form = aiohttp.FormData({"purpose": "batch"})
        data = "\n".join(json.dumps(line) for line in lines).encode()
        form.add_field("file", data, filename=f"b{number}.jsonl")
        file = await it.post("/v1/files", data=form)
        made = {"input_file_id": file.get("id"), "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        await asyncio.sleep(4)
        answer = await it.post("/v1/batches", made)
        it.batches.append(answer.get("id"))
        return answer

    await it.for_ever(2, batch)


async def bodies(it: Attacker) -> None:
    """Bodies of 8 MB that are nothing: a list of numbers as messages, an unknown field, empty objects."""
    ones = b'{"model":"stub","messages":[' + b"1," * 3_900_000 + b"1]}"
    field = b'{"model":"stub","messages":[],"' + b"x" * 7_900_000 + b'":1}'
    empty = b'{"model":"stub","messages":[' + b"{}," * 2_600_000 + b"{}]}"

    async def body(number: int) -> object:
        return await it.post("/v1/chat/completions", data=(ones, field, empty)[number % 3])

    it.session.headers["content-type"] = "application/json"
    await it.for_ever(2, body)


async def everything(it: Attacker) -> None:
    """All of these."""
    others = (chats, ingest, grammars, uploads, searches, batches)
    async with aiohttp.ClientSession(it.session._base_url, headers=dict(it.session.headers)) as other:
        huge = Attacker(other)
        huge.seen = it.seen
        await asyncio.gather(*(storm(it) for storm in others), bodies(huge))


STORMS: dict[str, Storm] = {
    "34 long chats": chats,
    "12 MB ingests": ingest,
    "grammars": grammars,
    "uploads": uploads,
    "searches": searches,
    "batches": batches,
    "8 MB bodies": bodies,
    "all of these": everything,
}


async def main(thing: str, url: str, key: str) -> None:
    timeout = aiohttp.ClientTimeout(total=None)
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(
        url, headers=headers, timeout=timeout, connector=aiohttp.TCPConnector(limit=0)
    ) as session:
        it = Attacker(session)
        task = asyncio.ensure_future(STORMS[thing](it))
        print("begun", flush=True)
        stop = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        seen = dict(it.seen)
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await it.undo()
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
