"""Carries notices to their receivers: durable jobs, one after the other for each receiver, tried again until they get
through. A notice is delivered at least once, under a delivery id that stays the same."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import smtplib
import ssl
import time
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from functools import partial

import aiohttp

import mainspring.features.monitor.alerts.notices as notify
from mainspring.features.monitor.settings import EmailSettings, MonitorSettings, Webhook
from mainspring.features.monitor.store.alerts import NOTICE
from mainspring.stores.sql.jobs import DONE, FAILED, Job, Jobs
from mainspring.stores.sql.worker import Lease, Worker

_log = logging.getLogger(__name__)
# Seconds before the second attempt, and at most between two.
FIRST_S, LONGEST_S = 1.0, 300.0
# A notice that cannot be delivered for this long is given up.
GIVE_UP_S = 86_400.0
# Processes that died over one notice: then it is the notice.
_ATTEMPTS = 50


class Undeliverable(Exception):
    """A receiver will not take this notice, now or ever."""


class NotYet(Exception):
    """A receiver could not be reached, or asks to be tried again later."""


Send = Callable[[Job], Awaitable[None]]
"""Carries one notice. Raises ``NotYet``, ``Undeliverable``."""


class Deliveries:
    """The workers of all receivers."""

    def __init__(self, jobs: Jobs, settings: MonitorSettings, *, first_s: float = FIRST_S) -> None:
        self._jobs = jobs
        self._first_s = first_s
        self._workers: list[Worker] = []
        for name, hook in settings.webhooks.items():
            self._add(f"webhook:{name}", partial(post, hook), settings.lease_s)
        if settings.email.host:
            self._add(notify.EMAIL, partial(send_mail, settings.email), settings.lease_s)

    def _add(self, receiver: str, send: Send, lease_s: float) -> None:
        async def work(lease: Lease) -> None:
            await self._carry(lease, send)

        kind = NOTICE + receiver
        self._workers.append(Worker(self._jobs, kind, work, lease_s=lease_s, poll_s=5.0, attempts=_ATTEMPTS))

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def soon(self) -> None:
        """Something was queued."""
        for worker in self._workers:
            worker.soon()

    async def close(self) -> None:
        """Stop; undelivered notices are delivered after the next start."""
        for worker in self._workers:
            await worker.close()

    async def _carry(self, lease: Lease, send: Send) -> None:
        pause = self._first_s
        while not lease.stopped:
            try:
                await send(lease.job)
            except Undeliverable as error:
                _log.error("notice %s is not taken: %s", lease.job.id, error)
                await self._jobs.finish(lease.job, FAILED, str(error))
                return
            except NotYet as error:
                if time.time() - lease.job.created_at > GIVE_UP_S:
                    await self._jobs.finish(lease.job, FAILED, f"given up after a day: {error}")
                    return
                _log.warning("notice %s did not get through: %s", lease.job.id, error)
            else:
                await self._jobs.finish(lease.job, DONE)
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_stopped(lease), pause * random.uniform(0.8, 1.2))
            pause = min(2 * pause, LONGEST_S)


async def post(hook: Webhook, job: Job) -> None:
    """Post a notice, signed if there is a secret."""
    body = notify.encoded(job.payload)
    at = int(time.time())
    headers = {"content-type": "application/json", notify.DELIVERY: job.id, notify.TIMESTAMP: str(at)}
    if trace := notify.trace_of(job.payload, job.id):
        headers |= trace.headers()
    if hook.secret:
        headers[notify.SIGNATURE] = notify.signed(body, hook.secret, at)
    timeout = aiohttp.ClientTimeout(total=hook.timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(hook.url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NotYet(type(error).__name__) from None
    if status in (408, 425, 429) or status >= 500:
        raise NotYet(f"it answered {status}")
    if not 200 <= status < 300:
        raise Undeliverable(f"the receiver answered {status}")


async def send_mail(settings: EmailSettings, job: Job) -> None:
    """Send a notice as mail."""
    message = notify.mail(job.payload, settings, job.id)
    try:
        await asyncio.to_thread(_submit, message, settings)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        if _for_good(error):
            raise Undeliverable(f"the mail server refuses it: {type(error).__name__}") from None
        raise NotYet(type(error).__name__) from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotYet(type(error).__name__) from None


def _submit(message: EmailMessage, settings: EmailSettings) -> None:
    if settings.security == "tls":
        context = ssl.create_default_context()
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            settings.host, settings.port, timeout=settings.timeout_s, context=context
        )
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)
    with server:
        if settings.security == "starttls":
            server.starttls(context=ssl.create_default_context())
        if settings.username:
            server.login(settings.username, settings.password)
        server.send_message(message)


def _for_good(error: smtplib.SMTPException) -> bool:
    """Whether a refusal is one of those (5xx) that will be the same tomorrow."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return int(getattr(error, "smtp_code", 0)) >= 500


async def _stopped(lease: Lease) -> None:
    waits = [asyncio.ensure_future(lease.lost.wait()), asyncio.ensure_future(lease.cancelled.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
