"""The llama.cpp process: loads a GGUF and serves it on a socket in a directory that only its owner can enter.

The parent talks HTTP to it (``llamacpp.py``); the inherited channel only says when it is ready, and when the
parent has gone.
"""

from __future__ import annotations

import os
from pathlib import Path

from mainspring.engines.process.protocol import Channel, Message, run_child

_WARNINGS = 2
# Requests are admitted by the parent; a few threads more answer while every slot streams.
_SPARE_THREADS = 8


def serve(channel: Channel, configuration: Message) -> None:
    """Load ``configuration["model"]`` and answer until the parent goes."""
    # OpenMP reads this when it is loaded, and it cannot be changed later. Threads that spin at barriers take the
    # cores from the server that shares them, and wait for each other: two threads on two busy cores made 3 tokens a
    # second, and 30 when they sleep.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    import xllamacpp

    # An earlier child that was killed left its socket behind, and a new one cannot bind to it.
    Path(configuration["socket"]).unlink(missing_ok=True)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = configuration["model"]
    parameters.hostnames = [configuration["socket"]]
    parameters.n_ctx = configuration["kv_tokens"]
    parameters.n_parallel = configuration["slots"]
    parameters.kv_unified = True
    parameters.n_batch = configuration["batch"]
    parameters.n_ubatch = min(configuration["batch"], 512)
    parameters.n_threads_http = configuration["slots"] + _SPARE_THREADS
    parameters.cpuparams.n_threads = configuration["threads"]
    parameters.cpuparams_batch.n_threads = configuration["threads"]
    # Idle prompts are kept in their slots; a second copy of them in main memory is not accounted for.
    parameters.cache_ram_mib = 0
    parameters.cache_idle_slots = False
    parameters.ctx_shift = False
    parameters.verbosity = _WARNINGS
    # Unloads the model when it goes out of scope.
    server = xllamacpp.Server(parameters)
    channel.send({"ready": {"address": server.listening_address}})
    while True:
        channel.receive(wait=True)


if __name__ == "__main__":
    run_child(serve)
