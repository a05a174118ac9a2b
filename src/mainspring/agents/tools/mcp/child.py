"""A server that is a child process and speaks on its standard input and output, one message a line (stdio).

The child gets no variable of this process except where to find programs and its locale: keys and passwords are in the
others. What it writes is bounded: a line that does not end ends the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
import mcp.types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from mainspring.core.errors import UpstreamError

_PASSED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_WORDS = 2_000
_GRACE_S = 2.0
Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


def environment(given: Mapping[str, str], home: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables of a child: its own, and of ours only those that hold no secret. Its home is a folder that is
    empty when it starts."""
    passed = {name: inherited[name] for name in _PASSED if name in inherited}
    return {**passed, "HOME": home, "TMPDIR": home, **given}


@asynccontextmanager
async def child(
    name: str, command: Sequence[str], given: Mapping[str, str], cwd: str, max_bytes: int
) -> AsyncIterator[Streams]:
    """The streams of a child of ``command``. Raises ``UpstreamError`` if it cannot be started."""
    with tempfile.TemporaryDirectory(prefix="mainspring-mcp-", ignore_cleanup_errors=True) as home:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment(given, home, os.environ),
                cwd=cwd or home,
                limit=max_bytes,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            remedy = f"Look at mcp.servers.{name}.command"
            raise UpstreamError(f"the MCP server {name} cannot be started: {error}", remedy=remedy) from None
        send_in, receive_in = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        send_out, receive_out = anyio.create_memory_object_stream[SessionMessage](0)
        said: deque[str] = deque(maxlen=20)
        tasks = [
            asyncio.create_task(_read(process, send_in), name=f"mcp {name}: reading"),
            asyncio.create_task(_write(process, receive_out), name=f"mcp {name}: writing"),
            asyncio.create_task(_listen(process, said), name=f"mcp {name}: its errors"),
        ]
        try:
            yield receive_in, send_out
        finally:
            await asyncio.shield(_end(process))
            # Its pipes are closed at once, and not when the garbage collector comes.
            process._transport.close()  # type: ignore[attr-defined]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for stream in (send_in, receive_in, send_out, receive_out):
                stream.close()


async def _read(process: asyncio.subprocess.Process, into: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
        async with into:
            while True:
                try:
                    line = await process.stdout.readline()
                except ValueError:
                    # Longer than the limit.
                    return
                if not line:
                    return
                if not line.strip():
                    continue
                try:
                    message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError as error:
                    await into.send(error)
                    continue
                await into.send(SessionMessage(message))


async def _write(process: asyncio.subprocess.Process, out: MemoryObjectReceiveStream[SessionMessage]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError, anyio.ClosedResourceError, anyio.EndOfStream):
        async for each in out:
            text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()


async def _listen(process: asyncio.subprocess.Process, said: deque[str]) -> None:
    """What it says on standard error is taken away, so that it never waits for a reader."""
    assert process.stderr is not None
    while part := await process.stderr.read(_WORDS):
        said.append(part.decode(errors="replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its input, then end it with all that it has started."""
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _GRACE_S)
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, how)
        if process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE_S)
