"""Starts our client for each scenario without its seconds of imports: a process that has them forks.

python prefork.py serve SOCKET          # in the repository
python -S -E prefork.py SOCKET URL      # what the suite starts; its environment goes along
"""

from __future__ import annotations

import json
import os
import socket
import sys


def serve(path: str) -> None:
    import asyncio

    from tests.mcp_conformance import client

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        print("ready", flush=True)
        while True:
            caller, _ = listening.accept()
            if os.fork():
                caller.close()
                # Children that have ended.
                while True:
                    try:
                        if os.waitpid(-1, os.WNOHANG)[0] == 0:
                            break
                    except ChildProcessError:
                        break
                continue
            listening.close()
            with caller, caller.makefile("r") as asked:
                told = json.loads(asked.readline())
                os.environ |= told["environment"]
                status = 0
                try:
                    asyncio.run(client.main(told["url"]))
                except BaseException as error:
                    print(f"{type(error).__name__}: {error}", file=sys.stderr)
                    status = 1
                caller.sendall(bytes([status]))
            os._exit(0)


def ask(path: str, url: str) -> int:
    with socket.socket(socket.AF_UNIX) as calling:
        calling.connect(path)
        environment = {name: value for name, value in os.environ.items() if name.startswith("MCP_")}
        calling.sendall(json.dumps({"url": url, "environment": environment}).encode() + b"\n")
        answer = calling.recv(1)
    return answer[0] if answer else 1


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    sys.exit(ask(sys.argv[1], sys.argv[2]))
