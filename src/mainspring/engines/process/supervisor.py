"""Keeps a child process alive: spawn, handshake, death, restart with backoff, shutdown.

Every engine outside of the server's process uses it. A ``Supervisor`` is spawned synchronously, before there is an
event loop or any heavy import, and attached to the loop later: ``spawn()`` then ``await start()``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import mainspring.engines.process.file_damage as damage
from mainspring.core.errors import EngineDied, InvalidRequest, MainspringError, ModelError
from mainspring.engines.process.protocol import Frames, Message, encode
from mainspring.engines.process.restarts import RestartPolicy

logger = logging.getLogger(__name__)

State = Literal["new", "starting", "ready", "backoff", "failed", "closed"]

_GRACE_S = 2.0
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}


@dataclass(frozen=True, slots=True)
class Spawned:
    """A child process, this end of its socket and of its standard error."""

    process: subprocess.Popen[bytes]
    connection: socket.socket


def spawn(module: str, configuration: Message) -> Spawned:
    """Start ``python -m module --fd N`` with its configuration. Does not wait and needs no event loop."""
    ours, theirs = socket.socketpair()
    # The kernel ties "die with parent" to the parent's thread: only the main thread lives as long as the process.
    main_thread = threading.current_thread() is threading.main_thread()
    command = [sys.executable, "-P", "-m", module, "--fd", str(theirs.fileno())]
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
            [*command, "--die-with-parent"] if main_thread else command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            # A Ctrl-C at the terminal reaches the whole group: the child must live until its streams have ended.
            process_group=0,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.sendall(encode(configuration))
    ours.setblocking(False)
    return Spawned(process, ours)


class _Link(asyncio.Protocol):
    """The socket of one incarnation of the child."""

    def __init__(self, receive: Callable[[Message], None], lost: asyncio.Future[None]) -> None:
        self._receive = receive
        self._lost = lost
        self._frames = Frames()

    def data_received(self, data: bytes) -> None:
        for message in self._frames.feed(data):
            self._receive(message)

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self._lost.done():
            self._lost.set_result(None)


class _ErrorOutput(asyncio.Protocol):
    """Keeps the last lines of the child's standard error and passes them on to the log."""

    def __init__(self, tail: deque[str], name: str) -> None:
        self._tail = tail
        self._name = name
        self._rest = b""
        self.done = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data)[-65536:].split(b"\n")
        for line in lines:
            self._keep(line)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._keep(self._rest)
        if not self.done.done():
            self.done.set_result(None)

    def _keep(self, line: bytes) -> None:
        if text := line.decode("utf-8", "replace").strip():
            self._tail.append(text)
            logger.debug("%s: %s", self._name, text)


class Supervisor:
    """One supervised child. All methods but ``spawn`` belong to the event loop that called ``start``.

    ``on_message`` gets every message after the handshake; ``on_death`` is called once for each death, with a sentence
    about its cause, before the restart. ``remedy`` says what helps when the child crashes while it loads.
    ``generation`` counts incarnations: messages to an older one are lost. A child that is ``busy`` and sends nothing
    for about ``silence`` seconds (at most half as much again) hangs: it is killed and restarted.

    A failure in its first load is permanent. A child that was ready once is started again for ever. ``damaged`` says
    whether its files are damaged: restarting a child that crashes on a broken file is useless until the file is
    replaced.
    """

    def __init__(
        self,
        module: str,
        configuration: Message,
        *,
        name: str,
        on_message: Callable[[Message], None],
        on_death: Callable[[str], None],
        start_timeout: float = 120.0,
        remedy: str = "",
        policy: RestartPolicy | None = None,
        busy: Callable[[], bool] = lambda: False,
        silence: float = 120.0,
        damaged: damage.Damage = damage.unknown,
    ) -> None:
        self._module = module
        self._configuration = configuration
        self._name = name
        self._on_message = on_message
        self._on_death = on_death
        self._start_timeout = start_timeout
        self._remedy = remedy
        self._policy = policy or RestartPolicy()
        self._busy = busy
        self._silence = silence
        self._damaged = damaged
        self._heard = 0.0
        self._killed: Spawned | None = None
        self._spawned: Spawned | None = None
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._tail: deque[str] = deque(maxlen=20)
        self._fatal = ""
        self._failure: MainspringError | None = None
        self._handshake: asyncio.Future[None] | None = None
        self.state: State = "new"
        self.generation = 0
        self.restarts = 0
        self.down_since: float | None = None
        self.greeting: Message = {}

    @property
    def down_s(self) -> float:
        """Seconds since it was last ready."""
        return 0.0 if self.down_since is None else time.monotonic() - self.down_since

    @property
    def pid(self) -> int | None:
        """Process id of the present child."""
        return self._spawned.process.pid if self._spawned else None

    def spawn(self) -> None:
        """Start the child now. Does not wait; idempotent."""
        if self._spawned is None and self.state == "new":
            self._spawned = spawn(self._module, self._configuration)
            self.state = "starting"

    async def start(self) -> None:
        """Return when the child is ready. Raises ``ModelError``, with its last words, when it never is."""
        self.spawn()
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name=f"supervise {self._name}")
        while self.state in ("starting", "backoff"):
            await self._wait_for_change()
        self._raise_unless_ready()

    async def ready(self, patience: float) -> None:
        """Return when the child is ready; waits for a restart in progress up to ``patience`` seconds.

        Raises ``EngineDied`` with ``retry_after`` when that takes longer or failed too often, else ``ModelError``.
        """
        if self.state == "ready":
            return
        self._raise_where_hopeless()
        try:
            async with asyncio.timeout(patience):
                while self.state in ("starting", "backoff"):
                    await self._wait_for_change()
                    self._raise_where_hopeless()
        except TimeoutError:
            raise EngineDied(
                f"the engine of {self._name} is restarting", remedy="Try again in a moment", retry_after=2.0
            ) from None
        self._raise_unless_ready()

    def send(self, message: Message) -> None:
        """Send to the present child. Raises ``EngineDied`` without one, ``InvalidRequest`` for broken Unicode."""
        if self._transport is None or self.state != "ready":
            raise EngineDied(f"the engine of {self._name} is not running", retry_after=2.0)
        try:
            frame = encode(message)
        except TypeError as error:
            raise InvalidRequest(f"the request holds text that is not valid Unicode: {error}") from None
        self._transport.write(frame)

    def kill(self) -> None:
        """End the present child at once; it is restarted as after any other death. It receives no more messages."""
        if self._spawned is not None:
            self._killed = self._spawned
            self._spawned.process.kill()
            # Its death is noticed later: until then it must not count as a child that can answer.
            if self.state == "ready":
                self._set("backoff")

    async def close(self) -> None:
        """End the child: closing its socket asks it to, then SIGTERM, then SIGKILL. Idempotent."""
        self._set("closed")
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        elif self._spawned is not None:
            await self._reap(self._spawned)
        self._spawned = None

    # --- one task, one incarnation after the other -------------------------------------------------------------

    async def _supervise(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            became_ready, cause, damaged = await self._incarnation()
            lived = time.monotonic() - began
            failures = 0 if became_ready and lived > self._policy.stable else failures + 1
            self.down_since = self.down_since or time.monotonic()
            # A crash on its first load will repeat: report it now.
            if not became_ready and self.generation == 0:
                self._failure = ModelError(cause, remedy=self._remedy)
                self._set("failed")
                self._on_death(cause)
                return
            if not became_ready:
                self._note_failure(cause, failures, damaged=damaged)
            pause = self._policy.pause(failures, lived)
            logger.warning("%s; starting it again in %.1f s", cause, pause)
            self.restarts += 1
            self._set("backoff")
            self._on_death(cause)
            await asyncio.sleep(pause)

    async def _incarnation(self) -> tuple[bool, str, bool]:
        """One child from start to end: whether it was ever ready, why it ended, whether its files are damaged."""
        self._fatal = ""
        try:
            if self._spawned is None:
                self._spawned = spawn(self._module, self._configuration)
        except OSError as error:  # no process or no memory is left: that passes
            return False, f"the engine of {self._name} could not be started: {error.strerror or error}", False
        spawned = self._spawned
        self._set("starting")
        became_ready = False
        try:
            became_ready = await self._live(spawned)
        except OSError as error:
            self._fatal = str(error)
            spawned.process.kill()
        finally:
            code = await self._reap(spawned)
        self._spawned = None
        damaged = await asyncio.to_thread(self._damaged) if not became_ready else None
        return became_ready, self._explain(code, became_ready, damaged), bool(damaged)

    def _note_failure(self, cause: str, failures: int, *, damaged: bool) -> None:
        if damaged:
            self._failure = ModelError(cause, remedy=self._remedy)
        elif failures >= self._policy.attempts:
            self._failure = EngineDied(cause, remedy="It is started again and again", retry_after=self._policy.longest)

    async def _live(self, spawned: Spawned) -> bool:
        """Serve one incarnation until its socket closes; whether it ever became ready."""
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[None] = loop.create_future()
        handshake = self._handshake = loop.create_future()
        errors = await self._watch_errors(spawned)
        transport, _ = await loop.create_unix_connection(lambda: _Link(self._receive, lost), sock=spawned.connection)
        self._transport = transport
        try:
            await asyncio.wait({handshake, lost}, timeout=self._start_timeout, return_when="FIRST_COMPLETED")
            if not handshake.done():
                if not lost.done():
                    self._fatal = f"it was not ready within {self._start_timeout:g} s"
                    spawned.process.kill()
                await lost
                return False
            self.generation += 1
            self._failure = self.down_since = None
            if self._killed is not spawned:
                self._set("ready")
            await self._watch(lost)
            return True
        finally:
            self._transport = None
            transport.abort()
            if not asyncio.current_task().cancelling():  # type: ignore[union-attr]
                await asyncio.wait({errors.done}, timeout=1.0)

    async def _watch(self, lost: asyncio.Future[None]) -> None:
        """Wait for the end of the connection, and bring it about when the child hangs."""
        self._heard = time.monotonic()
        while not lost.done():
            await asyncio.wait({lost}, timeout=self._silence / 4)
            if not self._busy():
                self._heard = time.monotonic()
            elif time.monotonic() - self._heard > self._silence * 1.25 and self._killed is not self._spawned:
                self._fatal = f"it said nothing for {self._silence:g} s"
                self.kill()

    async def _watch_errors(self, spawned: Spawned) -> _ErrorOutput:
        self._tail.clear()
        _, protocol = await asyncio.get_running_loop().connect_read_pipe(
            lambda: _ErrorOutput(self._tail, self._name), spawned.process.stderr
        )
        return protocol

    def _receive(self, message: Message) -> None:
        self._heard = time.monotonic()
        if "fatal" in message:
            self._fatal = message["fatal"]
        elif self._handshake is not None and not self._handshake.done():
            self.greeting = message.get("ready", {})
            self._handshake.set_result(None)
        else:
            self._on_message(message)

    async def _reap(self, spawned: Spawned) -> int:
        process = spawned.process
        spawned.connection.close()
        for stop in (process.terminate, process.kill):
            try:
                return await asyncio.to_thread(process.wait, _GRACE_S)
            except subprocess.TimeoutExpired:
                stop()
        return await asyncio.to_thread(process.wait)

    def _explain(self, code: int, became_ready: bool, damaged: str | None) -> str:
        when = "ended" if became_ready else "could not load its model"
        said = self._fatal or (self._tail[-1] if self._tail else "")
        reason = said
        if code < 0:
            reason = signal.Signals(-code).name + (f" ({said})" if said else "")
        if code < 0 and -code in _CRASHES and not became_ready:
            why = "though its files are whole" if damaged == "" else "the model file is damaged"
            reason = f"it crashed with {signal.Signals(-code).name}: {why}" + (f" ({said})" if said else "")
        if damaged:
            reason = f"{damaged} is not the file that was pulled" + (f" ({reason})" if reason else "")
        return f"the engine of {self._name} {when}: {reason or f'exit status {code}'}"

    def _raise_where_hopeless(self) -> None:
        if (failure := self._failure) is not None:
            raise type(failure)(failure.message, remedy=failure.remedy, retry_after=failure.retry_after)

    def _raise_unless_ready(self) -> None:
        if self.state != "ready":
            self._raise_where_hopeless()
            raise EngineDied(f"the engine of {self._name} is closed")

    def _set(self, state: State) -> None:
        if self.state != "closed":
            self.state = state
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait_for_change(self) -> None:
        await self._changed.wait()
