"""People who ask a small collection about keys of huts, and what they were told of it.

They give thumbs and edits while the server dies and comes back. What the server acknowledged is written down here; a
request that got no answer counts for nothing.
"""

from __future__ import annotations

import asyncio
import collections
import random
import re
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

NAME, EDITS, HELD_OUT, KNOWN = "huts", "hut-edits", "huts-held-out", "huts-known"
_NAMES = (
    "Harrow Birkdale Corrie Dunmore Eskholm Fellside Garth Howgill Inver Kinder Rona Skene Tarvie Ulpha Wharram Yarrow "
    "Ardoch Bolton Cluny Durris Elgin Forvie Glamis Huntly"
).split()
_PLACES = (
    "at the dairy;under a slate;with the warden;in the post office;at the mill;behind the barn;in the church;with the "
    "ferryman;at the pump;in the old forge;at the pier;behind the kiln;at the school;under the bench;at the bakery;in "
    "the tower;at the quarry;under the stile;with the baker;in the stable;at the ford;behind the chapel;by the well;"
    "under the porch"
).split(";")
TAUGHT = 12
"""What people say of answers about so many huts is learned; the others are held out."""
_MARK = re.compile(r"\s*\[\d+\]|\*")
_PATIENCE_S = 180.0
_AGAIN_S, _SELDOM_S = 0.15, 1.0
_TRAFFIC = ("shadow", "canary", "promoting", "watching", "undoing")
ENDS = {"promoted": "promoted", "disliked": "rolled back", "worse": "refused"}
"""Kinds of campaigns with their ends: people like what is promoted; they like it until it is promoted; they do not."""


def question(hut: str) -> str:
    return f"Where is the key of the {hut} hut kept?"


def key_of(hut: str) -> str:
    """The sentence that answers."""
    return f"The key of the {hut} hut is kept {_PLACES[_NAMES.index(hut)]}."


def document() -> bytes:
    rest = "The same key opens the shed of the {0} hut. Whoever loses the key pays for a lock of the {0} hut."
    return "\n\n".join(f"# {hut}\n\n{key_of(hut)} {rest.format(hut)}" for hut in _NAMES).encode()


def policy(kind: str) -> dict[str, Any]:
    """Two recipes: the first shows everything and is refused, the second shows one sentence."""
    options = {"collection": NAME, "questions": 5}
    bad = {**options, "lost": 1.0, "gain": -1.0, "tried": {"near": [10.0]}}
    good = {**options, "tried": {"near": [0.0], "next": [0.0]}}
    recipe = {"recipe": "answers-shown", "kind": "answering"}
    split = {"train": 1.0, "validation": 0.0, "test": 0.0}
    return {
        "data": {"export": {"kind": "preference", "split": split}, "least_rows": TAUGHT},
        "rungs": [
            {**recipe, "options": bad, "data": {"dataset": EDITS, "least_rows": TAUGHT}},
            {**recipe, "options": good},
        ],
        "offline": {
            "dataset": HELD_OUT,
            "gain": {"name": "f1", "effect": 0.05},
            "regression": {"dataset": KNOWN, "name": "contains"},
            "red_team": {"most": 1},
        },
        "gate": True,
        "shadow": {"share": 1.0, "seconds": 2, "failed": 0.5},
        "canary": {"steps": [0.4, 0.5], "step_s": 1, "metric": {"source": "feedback", "window_s": 3, "effect": 0.5}},
        "after": {"seconds": 300 if kind == "disliked" else 3},
        "cooldown_s": 0,
    }


@dataclass
class Told:
    """What was acknowledged: ``answers`` with the arm that gave each, thumbs by the id of their event with the answer
    (``thumbs``) and the text that was given in its place (``edits``)."""

    answers: dict[str, str] = field(default_factory=dict)
    thumbs: dict[str, str] = field(default_factory=dict)
    edits: dict[str, str] = field(default_factory=dict)
    ratings: collections.Counter[str] = field(default_factory=collections.Counter)
    unanswered: int = 0


class Walkers:
    """Those who ask. ``stage`` is where the campaign is, as far as is known."""

    def __init__(self, session: aiohttp.ClientSession, kind: str, seed: int) -> None:
        self._session = session
        self._kind = kind
        self._draw = random.Random(seed)
        self.told = Told()
        self.stage = ""
        self.over = asyncio.Event()

    async def call(self, method: str, path: str, body: object = None) -> tuple[dict[str, Any], Any]:
        """What a server answers that may be away for a while, and its headers. For what may be done twice."""
        end, said = time.monotonic() + _PATIENCE_S, "nothing"
        while time.monotonic() < end:
            try:
                return await self.once(method, path, body)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                said = repr(error)
                await asyncio.sleep(0.2)
        raise RuntimeError(f"{method} {path} does not say yes: {said}")

    async def once(self, method: str, path: str, body: object = None) -> tuple[dict[str, Any], Any]:
        """Raises ``RuntimeError`` for a refusal, and what the client raises where nothing answered."""
        headers = {"x-training-consent": "true"}
        async with self._session.request(method, path, json=body, headers=headers) as response:
            found = await response.json()
            if response.status >= 500 or response.status in (409, 429):
                raise ValueError(f"{response.status} {found}")
            if response.status >= 400:
                raise RuntimeError(f"{method} {path}: {response.status} {found}")
            return found, response.headers

    async def ask(self, hut: str, user: str) -> tuple[str, str, str]:
        """The id of the answer, its text without the numbers of sources, and the arm."""
        said = [{"role": "user", "content": question(hut)}]
        body = {"model": NAME, "user": user, "messages": said, "options": {"cache": False}}
        found, headers = await self.once("POST", "/v1/chat/completions", body)
        arm = str(headers.get("x-mainspring-arm") or "")
        self.told.answers[found["id"]] = arm
        return found["id"], _MARK.sub("", found["choices"][0]["message"]["content"]), arm

    async def rate(self, answer: str, rating: str, edit: str = "") -> None:
        said = {"answer_id": answer, "rating": rating, "consent": True} | ({"edit": edit} if edit else {})
        found, _ = await self.once("POST", "/v1/feedback", said)
        self.told.thumbs[found["id"]] = answer
        self.told.ratings[rating] += 1
        if edit:
            self.told.edits[found["id"]] = edit

    async def prepare(self, number: int) -> None:
        """Edits to learn from, examples that are held out, and people who like it as it is."""
        file = await self._uploaded()
        store = (await self.call("POST", "/v1/vector_stores", {"name": NAME, "file_ids": [file]}))[0]["id"]
        while (await self.call("GET", f"/v1/vector_stores/{store}"))[0]["file_counts"]["completed"] < 1:
            await asyncio.sleep(0.1)
        for at, hut in enumerate(_NAMES[:TAUGHT]):
            answer, text, _ = await self.ask(hut, f"editor {number} {at}")
            if text == key_of(hut) or key_of(hut) not in text:
                raise RuntimeError(f"the answer about {hut} is {text!r}")
            await self.rate(answer, "up", key_of(hut))
        # They are what the watch after a promotion compares with.
        for at in range(2 * TAUGHT):
            answer, _, _ = await self.ask(_NAMES[at % TAUGHT], f"friend {number} {at}")
            await self.rate(answer, "up")
        traces = {"application": NAME, "edited": True}
        await self.call("POST", f"/v1/datasets/{EDITS}/versions", {"traces": traces})
        await self.call("POST", f"/v1/datasets/{EDITS}/split", {"train": 1, "validation": 0, "test": 0})
        held = [{"id": hut, "question": question(hut), "references": [key_of(hut)]} for hut in _NAMES[TAUGHT:]]
        await self.call("POST", f"/v1/datasets/{HELD_OUT}/versions", {"examples": held})
        known = [{"id": hut, "question": question(hut), "references": [key_of(hut)]} for hut in _NAMES[:TAUGHT]]
        await self.call("POST", f"/v1/datasets/{KNOWN}/versions", {"examples": known})

    async def _uploaded(self) -> str:
        """The id of the document's file. A busy machine may refuse it for a while."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            form = aiohttp.FormData({"purpose": "assistants"})
            form.add_field("file", document(), filename="huts.md")
            async with self._session.post("/v1/files", data=form) as response:
                found = await response.json()
            if response.status == 200:
                return str(found["id"])
            if time.monotonic() > end:
                raise RuntimeError(f"POST /v1/files does not say yes: {response.status} {found}")
            await asyncio.sleep(1)

    async def run(self) -> None:
        """Ask, rate and approve until it is over."""
        await asyncio.gather(*(self._walk(each) for each in range(2)), self._decide())

    async def _walk(self, walker: int) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            hut = self._draw.choice(_NAMES[:TAUGHT])
            try:
                answer, text, arm = await self.ask(hut, f"walker {walker} {number}")
                await self.rate(answer, self._rating(text == key_of(hut), arm))
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
                self.told.unanswered += 1
            await asyncio.sleep(_AGAIN_S if self.stage in _TRAFFIC else _SELDOM_S)

    def _rating(self, short: bool, arm: str) -> str:
        if self._kind == "worse" or (self._kind == "disliked" and self.stage in ("watching", "undoing")):
            return "down" if short else "up"
        # Nobody's thumbs for the first one count against it but those of the canary.
        return "up" if short or arm == "" else "down"

    async def _decide(self) -> None:
        """A person approves what waits."""
        while not self.over.is_set():
            await asyncio.sleep(0.5)
            if self.stage != "waiting":
                continue
            try:
                page, _ = await self.once("GET", "/v1/approvals?status=pending")
                for each in page["data"]:
                    await asyncio.sleep(self._draw.random())
                    await self.once("POST", f"/v1/approvals/{each['id']}/approve", {"note": "as it should be"})
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
                self.told.unanswered += 1
            except RuntimeError:
                # The acknowledgement was lost: it is decided already.
                continue
