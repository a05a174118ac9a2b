"""One agent of others: its card, pinned, and conversations with it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mainspring.agents.tools.a2a.settings import RemoteAgentSettings
from mainspring.core.errors import MissingExtra, UpstreamError

if TYPE_CHECKING:
    import httpx
    from a2a.client import Client

WELL_KNOWN = "/.well-known/agent-card.json"
COMPLETED, INPUT_REQUIRED = "TASK_STATE_COMPLETED", "TASK_STATE_INPUT_REQUIRED"
WAITING = (INPUT_REQUIRED, "TASK_STATE_AUTH_REQUIRED")
OVER = (COMPLETED, "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_REJECTED")
_OURS = "mainspring"


@dataclass(slots=True)
class AgentReply:
    """What an agent has said: ``text`` of its artifacts or message, ``data`` and ``files`` of other parts, the state of
    the task and its status message. Empty ids: it answered without a task."""

    text: str = ""
    data: list[Any] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    state: str = COMPLETED
    status: str = ""
    task_id: str = ""
    context_id: str = ""


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """A piece of an answer's text, or a line of its progress."""

    text: str
    progress: bool = False


class RemoteAgent:
    """Asks the agent. ``own_host_private``: the host of its address may have a private address.

    Raises ``UpstreamError`` that names it for whatever goes wrong there, ``MissingExtra`` without the SDK.
    """

    def __init__(self, name: str, settings: RemoteAgentSettings, *, own_host_private: bool = True) -> None:
        self.name = name
        self.settings = settings
        own = {urlsplit(settings.url).hostname or ""} if own_host_private else set()
        self._private = frozenset((own | set(settings.private_hosts)) - {""})
        self._card: dict[str, Any] | None = None
        self._client: Client | None = None
        self._http: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def card(self) -> dict[str, Any]:
        """Its card as JSON: read once, and compared with its pin."""
        await self._opened()
        assert self._card is not None
        return self._card

    async def ask(
        self, text: str, message_id: str, *, context_id: str = "", task_id: str = ""
    ) -> AsyncGenerator[AnswerPiece | AgentReply, None]:
        """The pieces of the answer as they come, and at last the whole. A task that takes too long is cancelled
        there."""
        client = await self._opened()
        asked = {"messageId": message_id, "role": "ROLE_USER", "parts": [{"text": text}]}
        asked |= {"contextId": context_id} if context_id else {}
        asked |= {"taskId": task_id} if task_id else {}
        found = AgentReply(context_id=context_id)
        pieces = _Asking(self, client, asked, found).all()
        until = asyncio.get_running_loop().time() + self.settings.timeout_s
        try:
            async with aclosing(pieces):
                while (piece := await _next(pieces, until)) is not None:
                    yield piece
        except TimeoutError:
            await self._cancel(client, found)
            problem = f"the agent {self.name} did not answer within {self.settings.timeout_s:g} s"
            raise UpstreamError(problem, remedy="Raise its timeout_s") from None
        except (UpstreamError, asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            raise UpstreamError(f"the agent {self.name} failed: {_said(error)}") from error
        yield found

    async def aclose(self) -> None:
        """End the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = self._client = None

    async def _cancel(self, client: Client, found: AgentReply) -> None:
        from a2a.types import CancelTaskRequest

        if not found.task_id or found.state in (*OVER, *WAITING):
            return
        try:
            async with asyncio.timeout(self.settings.connect_timeout_s):
                await client.cancel_task(CancelTaskRequest(id=found.task_id))
        except Exception:
            # It is asked to stop out of courtesy.
            return

    async def _opened(self) -> Client:
        async with self._opening:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> Client:
        try:
            import httpx
            from a2a.client import ClientConfig, ClientFactory
            from a2a.client.card_resolver import parse_agent_card

            from mainspring.agents.tools.a2a.network import GuardedTransport, origin
        except ImportError as error:
            raise MissingExtra("A2A needs its SDK", remedy="pip install 'mainspring[a2a]'") from error
        settings = self.settings
        transport = GuardedTransport(settings, self._private)
        if self._http is None:
            times = httpx.Timeout(settings.connect_timeout_s, read=settings.timeout_s)
            self._http = httpx.AsyncClient(
                transport=transport, headers={"A2A-Version": "1.0"}, timeout=times, trust_env=False
            )
        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                answer = await self._http.get(_card_url(settings.url))
                answer.raise_for_status()
            read = answer.json()
            card = parse_agent_card(json.loads(answer.content))
        except Exception as error:
            raise UpstreamError(f"the card of the agent {self.name} cannot be read: {_said(error)}") from error
        self._pin(read)
        config = ClientConfig(
            streaming=settings.mode == "auto",
            polling=settings.mode == "poll",
            httpx_client=self._http,
            supported_protocol_bindings=["JSONRPC", "HTTP+JSON"],
        )
        home = origin(settings.url)
        elsewhere = [each.url for each in card.supported_interfaces if origin(each.url) != home]
        if elsewhere:
            problem = f"the card of the agent {self.name} leads to another server, {elsewhere[0]}"
            raise UpstreamError(problem, remedy="Give the address of that server, if it is meant")
        try:
            return ClientFactory(config).create(card)
        except ValueError as error:
            problem = f"the agent {self.name} speaks neither JSON-RPC nor HTTP+JSON"
            raise UpstreamError(problem) from error

    def _pin(self, read: Any) -> None:
        """Raises ``UpstreamError`` for another card than the pinned one."""
        if not isinstance(read, dict):
            raise UpstreamError(f"the card of the agent {self.name} is not an object")
        pinned = self.settings.card_sha256 or (digest(self._card) if self._card is not None else "")
        if pinned and digest(read) != pinned:
            problem = f"the card of the agent {self.name} has changed (its SHA-256 is {digest(read)})"
            raise UpstreamError(problem, remedy="Read it, and set card_sha256 to that if it is right")
        self._card = read


class _Asking:
    """One message on its way. ``found`` is changed."""

    def __init__(self, agent: RemoteAgent, client: Client, asked: dict[str, Any], found: AgentReply) -> None:
        self._agent, self._client, self._asked, self._found = agent, client, asked, found
        self._told = 0

    async def all(self) -> AsyncGenerator[AnswerPiece, None]:
        from a2a.types import SendMessageRequest
        from google.protobuf.json_format import MessageToDict, ParseDict

        request = ParseDict({"message": self._asked}, SendMessageRequest())
        try:
            async for event in self._client.send_message(request):
                for piece in self._take(MessageToDict(event)):
                    yield piece
        except Exception:
            # A stream that breaks off does not end the task: it is asked for from here on.
            if not self._found.task_id:
                raise
        async for piece in self._followed():
            yield piece

    async def _followed(self) -> AsyncIterator[AnswerPiece]:
        from a2a.types import GetTaskRequest
        from google.protobuf.json_format import MessageToDict

        found, failures = self._found, 0
        while found.task_id and found.state not in (*OVER, *WAITING):
            await asyncio.sleep(self._agent.settings.poll_s)
            try:
                task = MessageToDict(await self._client.get_task(GetTaskRequest(id=found.task_id)))
            except Exception:
                failures += 1
                if failures > 3:
                    raise
                continue
            failures = 0
            for piece in self._take({"task": task}):
                yield piece

    def _take(self, event: dict[str, Any]) -> list[AnswerPiece]:
        found = self._found
        if (task := event.get("task")) is not None:
            found.task_id, found.context_id = task.get("id", ""), task.get("contextId", found.context_id)
            found.text, found.data, found.files = "", [], []
            for artifact in task.get("artifacts", ()):
                self._read(artifact.get("parts", ()), fresh=True)
            return [*self._new(), *self._status(task.get("status", {}))]
        if (message := event.get("message")) is not None:
            found.context_id = message.get("contextId", found.context_id)
            self._read(message.get("parts", ()), fresh=True)
            return self._new()
        if (update := event.get("artifactUpdate")) is not None:
            found.task_id, found.context_id = update["taskId"], update.get("contextId", found.context_id)
            self._read(update.get("artifact", {}).get("parts", ()), fresh=not update.get("append"))
            return self._new()
        if (update := event.get("statusUpdate")) is not None:
            found.task_id, found.context_id = update["taskId"], update.get("contextId", found.context_id)
            return self._status(update.get("status", {}))
        return []

    def _status(self, status: dict[str, Any]) -> list[AnswerPiece]:
        found = self._found
        found.state = status.get("state", found.state)
        said = "\n".join(part["text"] for part in status.get("message", {}).get("parts", ()) if "text" in part)
        if found.state in (*OVER, *WAITING):
            found.status = said
            return []
        return [AnswerPiece(said, progress=True)] if said else []

    def _read(self, parts: Any, *, fresh: bool) -> None:
        found = self._found
        if fresh and found.text:
            found.text += "\n\n"
        for part in parts:
            if "text" in part:
                found.text += part["text"]
            elif "data" in part:
                found.data.append(part["data"])
            else:
                found.files.append({name: part[name] for name in ("filename", "mediaType", "url") if name in part})

    def _new(self) -> list[AnswerPiece]:
        """The text that was not told yet; none if what was told is no more a part of it."""
        text = self._found.text[self._told :]
        self._told = max(self._told, len(self._found.text))
        return [AnswerPiece(text)] if text else []


async def _next(pieces: AsyncGenerator[AnswerPiece, None], until: float) -> AnswerPiece | None:
    """The next piece; None after the last. Raises ``TimeoutError``. The bound does not span what is done with it."""
    async with asyncio.timeout_at(until):
        return await anext(pieces, None)


def digest(card: dict[str, Any]) -> str:
    """The SHA-256 of a card without its signatures, whatever the order of its fields."""
    bare = {name: value for name, value in card.items() if name != "signatures"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _card_url(url: str) -> str:
    return url if url.rstrip("/").endswith(".json") else url.rstrip("/") + WELL_KNOWN


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
