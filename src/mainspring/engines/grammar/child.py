"""The process that tries grammars out, so that a bad one never reaches the pipeline that serves everybody.

The runtime compiles a grammar inside the first step of the request that brings it, and an exception there leaves
the whole pipeline unusable. Here it is compiled first, in a pipeline around a one-layer model of zeros with the
real tokenizer: it loads in a tenth of a second and may break. The parent bounds the time by killing this process.
"""

from __future__ import annotations

import os
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

from mainspring.engines.chat.detokenizer import Vocabulary
from mainspring.engines.openvino.runtime import explain, structured
from mainspring.engines.process.protocol import Channel, Message, run_child

_WIDTH = 64
_YIELDS = 10
"""Niceness: a hostile grammar compiles for as long as it may, and the engine and the server need the same cores."""


def write_empty_model(path: Path, vocabulary: int) -> None:
    """A Llama GGUF of one layer, all weights zero, with ``vocabulary`` tokens."""
    import gguf
    import numpy

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.add_context_length(512)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_WIDTH)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(1e4)
    writer.add_rope_dimension_count(_WIDTH)
    writer.add_file_type(1)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a"])
    writer.add_tensor("token_embd.weight", numpy.zeros((vocabulary, _WIDTH), numpy.float16))
    writer.add_tensor("output_norm.weight", numpy.zeros(_WIDTH, numpy.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", numpy.zeros((_WIDTH, _WIDTH), numpy.float16))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", numpy.zeros(_WIDTH, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Trial:
    """Compiles grammars in a pipeline that is created again whenever one breaks it."""

    def __init__(self, runtime: Any, tokenizer: Any) -> None:
        self._runtime = runtime
        self._tokenizer = tokenizer
        self._vocabulary = Vocabulary(tokenizer).size
        self._ids = count(1)
        self._pipeline = self._open()

    def check(self, kind: str, source: str) -> str:
        """The grammar's fault; empty if it compiles."""
        runtime = self._runtime
        try:
            grammar = structured(runtime, kind, source)
            settings = runtime.GenerationConfig(
                apply_chat_template=False, max_new_tokens=1, do_sample=False, structured_output_config=grammar
            )
            handle = self._pipeline.add_request(next(self._ids), "a", settings)
            while self._pipeline.has_non_finished_requests():
                self._pipeline.step()
            # A request whose handle is dropped is dropped too, before its grammar was compiled.
            if not handle.can_read():
                return "it admits nothing"
        except Exception as error:  # the runtime raises whatever its compiler does
            self._pipeline = self._open()
            return explain(error)
        return ""

    def _open(self) -> Any:
        scheduler = self._runtime.SchedulerConfig()
        scheduler.num_kv_blocks, scheduler.cache_size = 4, 0
        with tempfile.TemporaryDirectory(prefix="mainspring-") as directory:
            model = Path(directory) / "empty.gguf"
            write_empty_model(model, self._vocabulary)
            return self._runtime.ContinuousBatchingPipeline(str(model), self._tokenizer, scheduler, "CPU")


def serve(channel: Channel, configuration: Message) -> None:
    """Answer ``{"id", "kind", "source"}`` with ``{"id", "problem"}``, for ever."""
    import openvino_genai as runtime

    os.nice(_YIELDS)
    trial = Trial(runtime, runtime.Tokenizer(configuration["model"]))
    # The compiler reads the vocabulary with its first grammar: that is no grammar's fault.
    trial.check("regex", "a")
    channel.send({"ready": {}})
    while True:
        for message in channel.receive(wait=True):
            problem = trial.check(message["kind"], message["source"])
            channel.send({"id": message["id"], "problem": problem})


if __name__ == "__main__":
    run_child(serve)
