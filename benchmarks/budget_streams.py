"""A hard budget under 64 streams at once: by how much of one answer is it passed?

    python benchmarks/budget_streams.py [--rounds 2]

Each round has a key of its own with a hard budget of 3,000 tokens, and 64 streams of the default model that begin
together, of up to 64 tokens each. Prompts are words, digits, base64 and Chinese, since an estimate that fits one of
them fails at another. What the ledger has in the end is compared with the budget.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import tempfile
from pathlib import Path
from typing import Any

import aiohttp

from _report import Figure, report
from _server import UNLIMITED, serving
from _storm import SMALL

STREAMS, OUTPUT, LIMIT = 64, 64, 3_000
PROMPTS = {
    "words": "Say what becomes of the lighthouse and of its keeper. ",
    "digits": "7 3 9 1 4 8 2 6 5 0 " * 10,
    "base64": "aGVsbG8gd29ybGQ9PQ8x7Kq2Zr" * 4,
    "chinese": "灯塔和它的看守人怎么样了" * 5,
}


async def call(session: aiohttp.ClientSession, path: str, body: Any = None) -> Any:
    async with session.request("GET" if body is None else "POST", path, json=body) as response:
        found = await response.json()
        if response.status >= 300:
            raise RuntimeError(f"{path}: {response.status} {found}")
        return found


async def stream(session: aiohttp.ClientSession, secret: str, prompt: str, number: int) -> int:
    """The status; the stream is read to its end."""
    said = [{"role": "user", "content": f"{number} {prompt}"}]
    body = {"model": SMALL, "messages": said, "max_tokens": OUTPUT, "stream": True, "options": {"cache": False}}
    headers = {"authorization": f"Bearer {secret}"}
    async with session.post("/v1/chat/completions", json=body, headers=headers) as response:
        await response.read()
        return response.status


async def measured(url: str, key: str, rounds: int) -> tuple[list[int], collections.Counter[int]]:
    """Tokens that each round spent, and the statuses of all streams."""
    spent, statuses = [], collections.Counter[int]()
    headers = {"authorization": f"Bearer {key}"}
    timeout, connector = aiohttp.ClientTimeout(total=600), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers=headers, timeout=timeout, connector=connector) as session:
        for number in range(rounds):
            for name, prompt in PROMPTS.items():
                made = await call(session, "/v1/keys", {"name": f"{name} {number}", "scopes": ["chat"]})
                budget = {"scope": "key", "subject": made["id"], "window": "total", "limit_tokens": LIMIT}
                budget_id = (await call(session, "/v1/budgets", budget))["id"]
                asked = [stream(session, made["secret"], prompt, each) for each in range(STREAMS)]
                told = collections.Counter(await asyncio.gather(*asked))
                statuses += told
                known = (await call(session, "/v1/budgets"))["data"]
                (found,) = [each for each in known if each["id"] == budget_id]
                spent.append(int(found["spent_tokens"]))
                print(f"{name}: {spent[-1]} of {LIMIT} tokens, {dict(told)}", flush=True)
                if found["reserved_tokens"]:
                    raise RuntimeError(f"{found['reserved_tokens']} tokens are still set aside")
    return spent, statuses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="of the four kinds of prompts")
    options = parser.parse_args()
    # A tenant makes few budgets a minute: all writers wait while the ledger is summed.
    with (
        tempfile.TemporaryDirectory(prefix="mainspring-") as folder,
        serving(Path(folder) / "home", settings=UNLIMITED) as server,
    ):
        spent, statuses = asyncio.run(measured(server.url, server.key, options.rounds))
    over = max(0, max(spent) - LIMIT)
    told = f"{len(spent)} rounds of {STREAMS} streams; statuses {dict(statuses)}"
    report(
        "budget_streams",
        {
            "passed by at most": Figure(over, "tokens", "lower", OUTPUT, 0, told),
            "most of the budget that was spent": Figure(max(spent) / LIMIT, "share", "higher", None, None, told),
            "least of the budget that was spent": Figure(min(spent) / LIMIT, "share", "higher", None, None, told),
        },
    )


if __name__ == "__main__":
    main()
