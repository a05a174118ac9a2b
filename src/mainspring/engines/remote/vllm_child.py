"""Keeps one ``vllm serve`` below the supervisor's child: started, watched until it answers, ended with its parent."""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque

from mainspring.engines.process.protocol import Channel, Message, ParentGone, run_child

_GRACE_S = 1.5
_PR_SET_PDEATHSIG = 1


def serve(channel: Channel, configuration: Message) -> None:
    """Run until the server ends (raises, with its last words) or the parent goes (ends the server)."""
    path = configuration["socket"]
    # A killed server leaves its socket behind, which would look like a server that does not answer yet.
    if os.path.exists(path):
        os.unlink(path)
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own command
            configuration["command"],
            # The server inherits the environment of this child, as any program does: nothing here reads it.
            env=os.environ | configuration["environment"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    except OSError as error:
        raise RuntimeError(f"{configuration['command'][0]} cannot be started: {error.strerror}") from None
    words: deque[str] = deque(maxlen=20)
    threading.Thread(target=_listen, args=(process, words), daemon=True).start()
    threading.Thread(target=_end_with, args=(channel, process), daemon=True).start()
    while process.poll() is None and not _answers(path):
        time.sleep(0.25)
    if process.poll() is None:
        channel.send({"ready": {"pid": process.pid}})
    status = process.wait()
    _end(process)
    said = next((line for line in reversed(words) if "Error" in line), words[-1] if words else "")
    raise RuntimeError(f"vLLM ended with status {status}: {said}")


def _answers(path: str) -> bool:
    connection = http.client.HTTPConnection("vllm", timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(5)
    try:
        connection.sock.connect(path)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _listen(process: subprocess.Popen[bytes], words: deque[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text := line.decode("utf-8", "replace").strip():
            words.append(text)
            print(text, file=sys.stderr, flush=True)


def _end_with(channel: Channel, process: subprocess.Popen[bytes]) -> None:
    try:
        while True:
            channel.receive(wait=True)
    except (ParentGone, OSError):
        _end(process)
        os._exit(0)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server with all its processes."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        end = time.monotonic() + _GRACE_S
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    run_child(serve)
