"""The process that runs an OpenVINO GenAI pipeline: one scheduler loop around ``step()``.

Parent to child: ``add``, ``cancel``, ``count``. Child to parent, at most one message a step for all requests::

    {"t": [[id, choice, text, tokens, logprobs]],             text that a step released
     "p": [[id, choice, logprobs]],                           those of a prompt's tokens
     "e": [[id, prompt tokens, generated tokens, reasons, cached tokens]],
                                                             requests that are complete ("stop:END": by that string)
     "x": [[id, error kind, message]],                        requests that failed
     "c": [[id, count or text, size of the vocabulary]],      answers to ``tokenizer``
     "g": [running, waiting, reserved fraction of the KV cache, how often one speculated, or stood aside, so far]}

Every choice is a sequence of its own: the runtime delivers several sequences of one request only at their end, and
applies a grammar wrongly to all but one. Further choices start when the first choice's prompt is in the prefix cache.
If there are several tenants, some sequences of the largest one are suspended (``shared_steps.py``). Where speculation
is on there are two pipelines, and each sequence runs in one of them (``speculation.py``).
"""

from __future__ import annotations

import os
import sys
import time
from itertools import count
from typing import Any

from mainspring.engines.chat.detokenizer import Streamer, Vocabulary, encode
from mainspring.engines.openvino.admission import Admission
from mainspring.engines.openvino.prefix_blocks import PrefixBlocks
from mainspring.engines.openvino.runtime import (
    BLOCK,
    explain,
    generation_config,
    open_pipeline,
    open_speculating,
    penalised,
    speculating_blocks,
)
from mainspring.engines.openvino.sequences import Job, Rejected, Sequence, drain, reason_of, release_logprobs, unechoed
from mainspring.engines.openvino.shared_steps import SharedSteps
from mainspring.engines.openvino.speculation import Speculation
from mainspring.engines.process.protocol import Channel, Message, run_child

# Many steps say nothing (beam search, a long prompt): the parent takes a silent child for one that hangs.
_HEARTBEAT_S = 0.5
# A token of more characters than this, on average over a whole context, is no natural text.
_CHARACTERS_A_TOKEN = 32
_RESEEDED = 7919


class Scheduler:
    """Runs requests through one pipeline. ``intake`` and ``step`` alternate; ``outbox`` is what to send."""

    def __init__(self, pipeline: Any, runtime: Any, configuration: Message, speculating: Any = None) -> None:
        self._pipeline = pipeline
        self._speculation = Speculation(speculating, configuration)
        self._runtime = runtime
        self._tokenizer = pipeline.get_tokenizer()
        self._vocabulary = Vocabulary(self._tokenizer)
        self._bos = self._tokenizer.get_bos_token_id()
        self._context_window = configuration["context_window"]
        self._prefix_cache = configuration["prefix_cache"]
        # One block stays free: the pipeline allocates ahead of the token that it writes.
        capacity = (configuration["kv_blocks"] - 1) * BLOCK
        sequences, spare = configuration["max_sequences"], configuration.get("spare", 0)
        self._admission: Admission[Sequence] = Admission(sequences, capacity, spare=spare)
        # What must be free of a request's expected output. If the cache fills up, the runtime computes one again.
        self._reserve: float = configuration.get("kv_reserve", 1.0)
        self._least: int = configuration.get("kv_least", 0)
        # The content of each pipeline's prefix cache: the second one is the speculating pipeline.
        held = (configuration["kv_blocks"], speculating_blocks(configuration)) if self._prefix_cache else (0, 0)
        self._prefixes = tuple(PrefixBlocks(blocks, BLOCK) for blocks in held)
        self._jobs: dict[int, Job] = {}
        self._active: list[Sequence] = []
        self._turns: SharedSteps[Sequence] = SharedSteps(configuration["max_batched_tokens"])
        self.aside = 0
        self._ids = count(1)
        self._cancelled = False
        self._gauges = (0, 0, 0.0, 0, 0)
        self._said = 0.0
        self.outbox: dict[str, list[Any]] = {}

    @property
    def busy(self) -> bool:
        """Whether there is anything to do without a new message."""
        return bool(self._active or self._cancelled or self._admission.waiting)

    def intake(self, message: Message) -> None:
        """Take one message of the parent."""
        match message["op"]:
            case "add":
                try:
                    self._add(message)
                except Rejected as error:
                    self._say("x", [message["id"], error.kind, str(error)])
            case "cancel":
                self._cancel(message["id"])
            case "tokenizer":
                self._say("c", [message["id"], self._vocabulary.asked(message), self._vocabulary.size])
            case unknown:
                raise ValueError(f"unknown operation {unknown!r}")

    def step(self) -> None:
        """Admit sequences that fit, run one step of the pipeline, collect its output."""
        now = time.monotonic()
        while (sequence := self._admission.pop()) is not None:
            sequence.admitted, sequence.since = True, now
            self._active.append(sequence)
        self._take_turns(now)
        running = [sequence for sequence in self._active if sequence.running]
        writing = all(sequence.begun for sequence in running)
        began = time.monotonic()
        for pipeline in (self._pipeline, self._speculation.pipeline):
            if pipeline is not None and pipeline.has_non_finished_requests():
                try:
                    pipeline.step()
                except Exception as error:
                    raise RuntimeError(f"the pipeline failed: {explain(error)}") from error
        if writing and running:
            self._turns.times.observe(len(running), time.monotonic() - began)
        self._cancelled = False
        for sequence in running:
            if not sequence.done:
                self._collect(sequence)
        self._active = [sequence for sequence in self._active if not sequence.done]

    def _take_turns(self, now: float) -> None:
        """Have those run whose turn it is."""
        aside, run = self._turns.choose(self._active, now)
        for sequence in aside:
            self._keep(sequence)
            sequence.handle.cancel()
            self._cancelled = True
            sequence.handle, sequence.begun, sequence.since = None, False, now
            # The prefix cache holds the rest, in whole blocks.
            sequence.reads = min(sequence.reads, BLOCK)
            sequence.resumed += 1
            self.aside += 1
        for sequence in run:
            self._launch(sequence)

    def flush(self) -> Message | None:
        """The message of this step; None when nothing changed and the last one was just now."""
        admission = self._admission
        reserved = round(admission.reserved / admission.kv_tokens, 4)
        gauges = (admission.running, admission.waiting, reserved, self._speculation.taken, self.aside)
        now = time.monotonic()
        if not self.outbox and gauges == self._gauges and now - self._said < _HEARTBEAT_S:
            return None
        self._said = now
        message: Message = {**self.outbox, "g": gauges}
        self._gauges, self.outbox = gauges, {}
        return message

    def _add(self, message: Message) -> None:
        sampling = message["sampling"]
        prompt = self._tokens(message["prompt"])
        window = min(self._context_window, self._admission.kv_tokens)
        room = window - len(prompt)
        max_tokens = sampling["max_tokens"] or room
        if room < 1 or max_tokens > room:
            asked = f" and {sampling['max_tokens']} tokens of output" if sampling["max_tokens"] else ""
            raise Rejected("too_long", f"maximum context length is {window}: {len(prompt)} tokens{asked}")
        choices = 1 if sampling["beams"] > 1 else sampling["n"]
        job = Job(
            message["id"],
            sampling,
            prompt,
            max_tokens,
            self._admission.arrive(),
            message["priority"],
            choices,
            message.get("shown", []),
            message.get("speculate"),
            waits_for_first=choices > 1 and self._prefix_cache and len(prompt) > BLOCK,
            tenant=message.get("tenant", ""),
            expected=min(max_tokens, message.get("expected") or max_tokens),
        )
        self._configure(job, 0)
        self._jobs[job.id] = job
        try:
            for choice in range(1 if job.waits_for_first else choices):
                self._queue(job, choice)
        except ValueError:
            del self._jobs[job.id]
            raise Rejected("too_long", f"{sampling['beams']} beams of this length exceed the engine") from None

    def _tokens(self, prompt: str) -> list[int]:
        if len(prompt) > self._context_window * _CHARACTERS_A_TOKEN:
            raise Rejected("too_long", f"a prompt of {len(prompt)} characters exceeds the context window")
        if not prompt:
            # The model cannot continue nothing; a text begins with the token that begins texts.
            return [self._bos]
        tokens = encode(self._tokenizer, prompt, special=True)
        # Chat templates write the beginning-of-text token themselves.
        return tokens[1:] if tokens[:2] == [self._bos, self._bos] else tokens

    def _queue(self, job: Job, choice: int) -> None:
        width = job.sampling["beams"]
        # Beams share the prompt's whole blocks and copy the last one.
        own = job.expected + (BLOCK if width > 1 else 0)
        wanted = max(self._least, len(job.prompt) + round(self._reserve * width * own))
        tokens = -(-wanted // BLOCK) * BLOCK
        streamer = Streamer(self._vocabulary, job.sampling["stop"], job.shown, job.sampling["grammar"])
        sequence = Sequence(job, choice, width, min(tokens, self._admission.kv_tokens), streamer)
        sequence.reads = len(job.prompt)
        # Suspending a sequence loses the runtime's state beyond its tokens.
        sequence.fixed = not self._prefix_cache or bool(width > 1 or job.sampling["grammar"] or penalised(job.sampling))
        self._admission.push(
            sequence,
            place=job.place,
            priority=job.priority,
            width=width,
            tokens=sequence.tokens,
            tenant=job.tenant,
        )
        job.sequences.append(sequence)

    def _configure(self, job: Job, choice: int, more: Message | None = None, written: int = 0, resumed: int = 0) -> Any:
        # The same seed would draw the same numbers again.
        choice += _RESEEDED * resumed
        try:
            settings = self._runtime.GenerationConfig(
                **generation_config(self._runtime, job.sampling, job.max_tokens - written, choice), **(more or {})
            )
            settings.validate()
        except (RuntimeError, TypeError, ValueError) as error:
            raise Rejected("invalid", explain(error)) from None
        return settings

    def _launch(self, sequence: Sequence) -> None:
        import numpy
        import openvino

        job = sequence.job
        tokens = openvino.Tensor(numpy.array([job.prompt + sequence.ids], dtype=numpy.int64))
        alone = self._admission.running <= sequence.width
        sequence.speculates = not sequence.resumed and self._speculation.take(
            job.speculate, job.sampling, len(job.prompt), sequence.tokens, alone=alone
        )
        sequence.fixed = sequence.fixed or sequence.speculates
        more = self._speculation.settings if sequence.speculates else None
        pipeline = self._speculation.pipeline if sequence.speculates else self._pipeline
        if sequence.choice == 0 and not sequence.resumed:
            # The prompt is counted once, although further choices read it again.
            job.cached = self._prefixes[sequence.speculates].cached(job.prompt)
        settings = self._configure(job, sequence.choice, more, len(sequence.ids), sequence.resumed)
        sequence.handle = pipeline.add_request(next(self._ids), tokens, settings)

    def _cancel(self, job_id: int) -> None:
        job = self._jobs.pop(job_id, None)
        for sequence in job.sequences if job else ():
            if not sequence.done:
                self._end(sequence)

    def _collect(self, sequence: Sequence) -> None:
        handle = sequence.handle
        if sequence.job.sampling["beams"] > 1:
            self._collect_beams(sequence)
            return
        pieces: list[str] = []
        reason = "NONE"
        read = False
        # read() with nothing to read never returns.
        while not sequence.done and handle.can_read():
            read = True
            for output in handle.read().values():
                self._take(sequence, output, pieces)
                reason = output.finish_reason.name
        # A sequence that gave tokens and no reason to finish still runs.
        if not sequence.done and not (read and reason == "NONE"):
            status = handle.get_status().name
            if status != "RUNNING":
                self._complete(sequence, status, reason, pieces)
        text = "".join(pieces)
        if text or (sequence.done and sequence.unsent):
            self._emit(sequence, text)
        if sequence.done:
            self._settle(sequence.job)

    def _take(self, sequence: Sequence, output: Any, pieces: list[str]) -> None:
        job, streamer = sequence.job, sequence.streamer
        wants_logprobs = job.sampling["logprobs"] is not None
        sequence.begun = True
        if not job.generated:
            self._prefixes[sequence.speculates].keep(job.prompt)
        ids, logprobs = unechoed(sequence, output, self._vocabulary.text)
        for position, token in enumerate(ids):
            job.generated += 1
            sequence.ids.append(token)
            sequence.unsent += 1
            pieces.append(streamer.push(token))
            if wants_logprobs:
                sequence.logprobs.append((self._vocabulary.text(token), logprobs[position]))
            if streamer.stopped:
                job.reasons[sequence.choice] = reason_of(streamer, "")
                self._end(sequence)
                return
        if job.waits_for_first and job.generated:
            job.waits_for_first = False
            for choice in range(1, job.choices):
                self._queue(job, choice)

    def _complete(self, sequence: Sequence, status: str, reason: str, pieces: list[str]) -> None:
        pieces.append(sequence.streamer.flush())
        job = sequence.job
        if status == "IGNORED" and not job.generated:
            self._fail(job, "too_long", "the prompt does not fit the KV cache")
            return
        job.reasons[sequence.choice] = reason_of(sequence.streamer, reason)
        self._end(sequence)

    def _collect_beams(self, sequence: Sequence) -> None:
        handle, job = sequence.handle, sequence.job
        status = handle.get_status().name
        if status == "RUNNING":
            return
        outputs = [output for batch in drain(handle) for output in batch.values()]
        if status == "IGNORED" or not outputs:
            self._fail(job, "too_long", "the beams do not fit the KV cache")
            return
        outputs.sort(key=lambda output: output.score, reverse=True)
        for choice, output in enumerate(outputs[: job.sampling["n"]]):
            # Each beam is a choice of its own from here on; only the search was one.
            beam = Sequence(job, choice, 0, 0, Streamer(self._vocabulary, job.sampling["stop"], job.shown), done=True)
            pieces: list[str] = []
            self._take(beam, output, pieces)
            pieces.append(beam.streamer.flush())
            job.reasons[choice] = reason_of(beam.streamer, output.finish_reason.name)
            self._emit(beam, "".join(pieces))
        job.choices = len(job.reasons)
        self._end(sequence)
        self._settle(job)

    def _emit(self, sequence: Sequence, text: str) -> None:
        if sequence.echoed:
            self._say("p", [sequence.job.id, sequence.choice, sequence.echoed])
            sequence.echoed = []
        logprobs = release_logprobs(sequence, text)
        self._say("t", [sequence.job.id, sequence.choice, text, sequence.unsent, logprobs])
        sequence.unsent = 0

    def _end(self, sequence: Sequence) -> None:
        """Give back what the sequence holds; the pipeline drops it in its next step."""
        if sequence.done:
            return
        sequence.done = True
        if not sequence.admitted:
            self._admission.withdraw(sequence)
            return
        self._keep(sequence)
        if sequence.handle is not None and sequence.handle.get_status().name == "RUNNING":
            sequence.handle.cancel()
            self._cancelled = True
        self._admission.release(width=sequence.width, tokens=sequence.tokens, tenant=sequence.job.tenant)
        if sequence.speculates:
            self._speculation.give(sequence.tokens)
        self._active = [other for other in self._active if other is not sequence]

    def _keep(self, sequence: Sequence) -> None:
        """Its prompt is now in the prefix cache."""
        if sequence.ids:
            # The last token was never read: its block is not whole.
            self._prefixes[sequence.speculates].keep(sequence.job.prompt + sequence.ids[:-1])

    def _settle(self, job: Job) -> None:
        if len(job.reasons) == job.choices and job.id in self._jobs:
            del self._jobs[job.id]
            reasons = [job.reasons[choice] for choice in range(job.choices)]
            self._say("e", [job.id, len(job.prompt), job.generated, reasons, job.cached])

    def _fail(self, job: Job, kind: str, message: str) -> None:
        self._cancel(job.id)
        self._say("x", [job.id, kind, message])

    def _say(self, kind: str, row: list[Any]) -> None:
        self.outbox.setdefault(kind, []).append(row)


def serve(channel: Channel, configuration: Message) -> None:
    """Load, greet, then alternate between the parent's messages and the pipeline's steps for ever.

    An exception out of ``step()`` leaves the pipeline unusable: it ends the process.
    """
    import openvino_genai as runtime

    pipeline, speculating = open_pipeline(runtime, configuration), open_speculating(runtime, configuration)
    scheduler = Scheduler(pipeline, runtime, configuration, speculating)
    channel.send({"ready": {"pid": os.getpid(), "python": sys.version.split()[0]}})
    while True:
        for message in channel.receive(wait=not scheduler.busy):
            scheduler.intake(message)
        if scheduler.busy:
            scheduler.step()
        if (out := scheduler.flush()) is not None:
            channel.send(out)


if __name__ == "__main__":
    run_child(serve)
