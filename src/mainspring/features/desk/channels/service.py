"""Takes messages of customers from channels, has them answered, and sends answers: an agent's, or a person's."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Mapping
from typing import Any

import orjson

import mainspring.stores.sql.ids as ids
from mainspring.core import structure
from mainspring.core.errors import (
    InvalidRequest,
    MainspringError,
    NotFound,
    StoreError,
    Unauthenticated,
    Unsupported,
)
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Message, Principal, Settlement, TraceParent
from mainspring.feature import Rooms
from mainspring.features.desk.channels import mail, signing
from mainspring.features.desk.channels.chats import WEB, Chats
from mainspring.features.desk.channels.post import Post
from mainspring.features.desk.channels.settings import ChannelsSettings
from mainspring.features.desk.channels.slots import Slots
from mainspring.features.desk.channels.store import Bounds, ChannelStore, Claimed, Incoming, Thread
from mainspring.features.desk.ports import Opens
from mainspring.features.desk.store.cases import LONGEST
from mainspring.features.desk.store.holders import KeyHolders
from mainspring.rag.connect.fetch import Fetcher
from mainspring.serving.memory.attendance import NOTICE
from mainspring.serving.memory.layer import stored_name

EMAIL = "email"
_log = logging.getLogger(__name__)
_LOOK_S, _TIMEOUT_S, _HOUR_S = 1.0, 180.0, 3600.0
_SUBJECT = 200
_CUT = "\n[cut off]"


def holder(settings: ChannelsSettings) -> Principal:
    """Whose requests messages by mail and webhooks are: the system's own, as the settings say."""
    return Principal(settings.tenant, "desk_channels", frozenset({"chat"}), frozenset(settings.groups))


class Channels:
    """The channels of this system. ``opens`` opens cases for what no agent can answer."""

    def __init__(self, rooms: Rooms, opens: Opens, holders: KeyHolders) -> None:
        self.settings = rooms.settings.section(ChannelsSettings)
        self.store = ChannelStore(rooms.stores.database)
        self._rooms = rooms
        self._opens = opens
        self._holders = holders
        self.chats = Chats(rooms.stores.database, self.store, rooms.stores.sessions, holders, self.settings)
        self._post = Post(self.settings.email)
        self._wake = asyncio.Event()
        self._slots = Slots(self.store.claim_incoming, self._answer, self._wake.set)
        self._reading = asyncio.Semaphore(1)

    @property
    def principal(self) -> Principal:
        """Whose requests the messages are."""
        return holder(self.settings)

    def owner_of(self, thread: Thread) -> Principal:
        """Whose a conversation is: on a web page the key's that opened it. It has no rights: see ``principal_of``."""
        if thread.channel != WEB:
            return self.principal
        groups = frozenset(thread.address.get("groups", ()))
        key_id, person = (str(thread.address.get(name, "")) for name in ("key_id", "person"))
        return Principal(thread.tenant, key_id, frozenset(), groups, identity=person)

    async def principal_of(self, thread: Thread) -> Principal:
        """Whose requests the messages of a conversation are, with the rights of their key now. Raises
        ``Unauthenticated``."""
        owner = self.owner_of(thread)
        if thread.channel != WEB:
            return owner
        return await self._holders.principal(owner.tenant, owner.key_id, owner.groups)

    def owns(self, thread: Thread, session: str) -> bool:
        """Whether a session, by its stored name, is that of the conversation."""
        return session == stored_name(self.owner_of(thread), thread.session_id)

    async def receive_mail(self, data: bytes) -> bool:
        """Keep a message; durable when it returns. False: it came before, or nobody answers it. Raises
        ``InvalidRequest``, ``Unsupported``."""
        settings = self.settings.email
        if not settings.enabled or not settings.address:
            raise Unsupported("this system takes no mail", remedy="Set channels.email.enabled and .address")
        # Off the loop, and one at a time: the threads are for others, too.
        async with self._reading:
            found = await asyncio.to_thread(mail.read, data, settings.address)
        if found.ignored:
            _log.info("a mail is not answered: it is %s", found.ignored)
        tenant = self.settings.tenant
        session = await self.store.known_mail(tenant, found.references, found.sender)
        text = mail.told(found, self.settings.max_characters)
        if not session and found.subject:
            text = f"{found.subject}\n\n{text}".strip()
        address = {"subject": found.subject, "references": [*found.references, found.message_id][-20:]}
        message = Incoming(
            EMAIL,
            found.message_id,
            session or ids.new("mail-"),
            found.sender,
            text,
            address,
            (found.message_id,),
            ignored=bool(found.ignored) or not text,
        )
        return await self._keep(message)

    async def receive_signed(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[str, bool]:
        """The session of a message of a webhook, and whether it is new. Raises ``Unauthenticated``, for an unknown
        name too, ``TooLarge``, ``InvalidRequest``."""
        webhook = self.settings.webhooks.get(name)
        # Nobody learns which names there are.
        message_id = signing.check(webhook.secret if webhook else secrets.token_hex(32), headers, body)
        try:
            found = structure.loads(body)
        except orjson.JSONDecodeError:
            raise InvalidRequest("the body is not valid JSON") from None
        texts = [found.get(field) if isinstance(found, dict) else None for field in ("conversation", "from", "text")]
        conversation, person, text = (each if isinstance(each, str) else "" for each in texts)
        if not conversation or not text.strip() or len(conversation) > 100 or len(person) > 256:
            problem = "a message is {conversation, from, text}: texts of at most 100, 256 and more characters"
            raise InvalidRequest(problem, param="conversation" if not conversation else "text")
        session = f"hook-{name}-{conversation}"
        address = {"conversation": conversation}
        said = text.strip()[: self.settings.max_characters]
        message = Incoming(f"webhook:{name}", message_id, session, person or conversation, said, address)
        return session, await self._keep(message)

    async def work(self) -> None:
        """Answer and send what waits, and look for mail, for ever."""
        fetching = Fetcher(private_hosts=self.settings.private_hosts, delay_s=0, timeout_s=30.0)
        async with fetching as fetcher, asyncio.TaskGroup() as group:
            group.create_task(self._rounds(self._slots.fill))
            group.create_task(self._rounds(lambda: self.send_waiting(fetcher)))
            if self.settings.email.enabled and self._post.polls:
                group.create_task(self._poll())
            group.create_task(self._slots.until_cancelled())

    async def answer_waiting(self) -> int:
        """Have the messages that are due answered; how many there were."""
        begun = await self._slots.fill()
        await self._slots.idle()
        return begun

    async def send_waiting(self, fetcher: Fetcher) -> int:
        """Send the answers that are due; how many there were."""
        claimed = await self.store.claim_outgoing()
        await asyncio.gather(*(self._send(each, fetcher) for each in claimed))
        return len(claimed)

    async def _keep(self, message: Incoming) -> bool:
        # A mail server would bring a refused mail again and again, and mail has its own bounds.
        bounds = None if message.channel == EMAIL else Bounds.of(self.settings)
        new = await self.store.receive(self.settings.tenant, message, bounds)
        if new:
            self._wake.set()
        return new and not message.ignored

    async def _rounds(self, work: Any) -> None:
        while True:
            try:
                done = await work()
            except Exception as error:
                # One round that fails ends neither the next one nor the other channels.
                _log.warning("a round of the channels failed: %s", type(error).__name__, exc_info=error)
                done = 0
            if not done:
                self._wake.clear()
                try:
                    async with asyncio.timeout(_LOOK_S):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def _poll(self) -> None:
        while True:
            try:
                await self._post.poll(self.receive_mail)
            except (OSError, MainspringError) as error:
                _log.warning("no mail was fetched: %s", error)
            except Exception as error:
                _log.warning("no mail was fetched: %s", type(error).__name__, exc_info=error)
            await asyncio.sleep(self.settings.email.poll_s)

    async def _answer(self, claimed: Claimed) -> None:
        """Deal with a message. Until that is written down it waits, whatever happens."""
        try:
            given_up = await self._tried(claimed)
            if given_up is not None:
                # The case is opened first, once for each message: a process that dies in between loses nothing.
                await self._ask_people(claimed, *given_up)
                await self.store.answered(claimed, "")
        except Exception as error:
            _log.warning("a message by %s waits: %s", claimed.thread.channel, type(error).__name__, exc_info=error)
            try:
                await self.store.failed(claimed)
            except StoreError as problem:
                # It is due again when its claim ends.
                _log.warning("a message could not be put back: %s", problem)

    async def _tried(self, claimed: Claimed) -> tuple[str, str] | None:
        """Have an agent answer; else why people have to, and what they read. None: it is answered, or tried later."""
        thread = claimed.thread
        try:
            if await self._flooded(thread):
                # A sender can be forged: nobody is written to, not even that people will answer.
                return "more mail came within an hour than is answered by itself", claimed.text
            if await self._too_many(thread):
                await self._ask_people(claimed, "more mail from this address than is answered by itself", claimed.text)
            text = await self._recorded(claimed)
            if text is None and claimed.attempts > self.settings.attempts:
                return "no agent could answer", claimed.text
            if text is None:
                text = await self._asked(claimed)
        except InvalidRequest as error:
            # The guards, for example. It would be refused again.
            return f"the message was refused: {error.code}", ""
        except Unauthenticated as error:
            # The key of the page is over, and a retry changes nothing: people read what its customer wrote.
            return error.args[0], claimed.text
        except Exception as error:
            _log.warning("a message by %s was not answered: %s", thread.channel, type(error).__name__, exc_info=error)
            if claimed.attempts >= self.settings.attempts:
                return "no agent could answer", claimed.text
            await self.store.failed(claimed, renew=True)
            return None
        await self.store.answered(claimed, text)
        return None

    async def _asked(self, claimed: Claimed) -> str:
        settlement = Settlement()
        settlement.planned_id = claimed.answer_id
        trace = TraceParent(claimed.trace_id, TraceParent.new().span_id)
        thread = claimed.thread
        principal = await self.principal_of(thread)
        context = Context(principal, trace, settlement=settlement, consent=principal.consent)
        said = (Message("user", claimed.text),)
        request = ChatRequest(self.settings.model, said, session_id=thread.session_id, user=thread.person)
        async with asyncio.timeout(_TIMEOUT_S):
            answer = await collect(await self._rooms.responder.respond(request, context))
        told = next((each for each in answer.notices if each.code == NOTICE), None)
        if told is not None and not await self._opens.first_message(context, told.id):
            # A customer who waits for a person gets one message that says so.
            return ""
        return answer.text.strip()

    async def _recorded(self, claimed: Claimed) -> str | None:
        """The answer that was given before the process died; None: none was."""
        try:
            found = await self._rooms.stores.events.get(claimed.tenant, claimed.answer_id)
        except NotFound:
            return None
        if AnswerFacts.of(found.facts).status != "completed":
            raise Unsupported("the answer failed")
        choices = json.loads(found.content or "{}").get("choices") or [{"text": ""}]
        return str(choices[0].get("text", "")).strip()

    async def _flooded(self, thread: Thread) -> bool:
        if thread.channel != EMAIL:
            return False
        most = self.settings.email.all_answers_an_hour
        return await self.store.dealt_with(thread.tenant, EMAIL, _HOUR_S, most) >= most

    async def _too_many(self, thread: Thread) -> bool:
        if thread.channel != EMAIL:
            return False
        count = await self.store.lately(thread.tenant, EMAIL, thread.person, _HOUR_S)
        return count > self.settings.email.answers_an_hour

    async def _ask_people(self, claimed: Claimed, reason: str, body: str) -> None:
        thread = claimed.thread
        subject = str(thread.address.get("subject") or "").strip() or f"A message by {thread.channel}"
        if len(body) > LONGEST["body"]:
            body = body[: LONGEST["body"] - len(_CUT)] + _CUT
        context = Context(self.owner_of(thread), TraceParent(claimed.trace_id, TraceParent.new().span_id))
        key = f"people:{thread.channel}:{claimed.id}"
        await self._opens.for_people(context, thread.session_id, subject[:_SUBJECT], reason, body, thread.person, key)

    async def _send(self, claimed: Claimed, fetcher: Fetcher) -> None:
        thread = claimed.thread
        try:
            message_id = ""
            if thread.channel == EMAIL:
                message_id = await self._post.send(claimed)
            else:
                await self._deliver(claimed, fetcher)
        except (OSError, MainspringError) as error:
            _log.warning("an answer by %s was not sent: %s", thread.channel, error)
            if not await self.store.unsent(claimed, most=self.settings.attempts):
                _log.error("an answer by %s was given up", thread.channel)
            return
        await self.store.sent(claimed, message_id)

    async def _deliver(self, claimed: Claimed, fetcher: Fetcher) -> None:
        webhook = self.settings.webhooks.get(claimed.thread.channel.removeprefix("webhook:"))
        if webhook is None or not webhook.url:
            # Answers are read from the session.
            return
        body = orjson.dumps(
            {
                "conversation": claimed.thread.address.get("conversation", ""),
                "text": claimed.text,
                "author": "agent" if claimed.automatic else "person",
            }
        )
        status = await fetcher.post(webhook.url, body, signing.signed(webhook.secret, claimed.id, body))
        if not 200 <= status < 300:
            raise OSError(f"the webhook answered {status}")
