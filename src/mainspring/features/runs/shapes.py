"""Bodies of requests for runs, and runs as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mainspring.core.types import ChatRequest, Message
from mainspring.features.runs.service import Replayed
from mainspring.features.runs.store.runs import Run
from mainspring.features.runs.store.steps import KeptStep
from mainspring.http.bodies import Body, Many, Metadata, Name
from mainspring.http.openai.chat_messages import WireMessage, conversation
from mainspring.stores.sql import rows

Path = Annotated[str, Field(min_length=1, max_length=256)]


class RunBody(Body):
    """``POST /v1/agents/runs``. ``input`` is what the user says, or a conversation. Without ``background`` the answer
    waits until the run stands still. ``deadline_s`` is from now."""

    agent: Name
    input: str | Many[WireMessage]
    background: bool = False
    session_id: Name | None = None
    user: Name | None = None
    metadata: Metadata | None = None
    deadline_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None

    def request(self) -> ChatRequest:
        """What the agent is asked. Raises ``InvalidRequest`` naming the message."""
        said = (Message("user", self.input),) if isinstance(self.input, str) else conversation(self.input)
        return ChatRequest(self.agent, said, session_id=self.session_id, user=self.user)


class ForkBody(Body):
    """``POST /v1/agents/runs/{id}/fork``. ``after`` is the number of the last step that is kept (0: none; absent: all
    that are done); ``step`` is the path of one that gets another ``outcome``."""

    after: Annotated[int, Field(ge=0)] | None = None
    step: Path | None = None
    outcome: Any = None
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _one(self) -> ForkBody:
        if self.after is not None and self.step is not None:
            raise ValueError("send either after or step, not both")
        if self.step is None and self.outcome is not None:
            raise ValueError("outcome needs step, the step that it belongs to")
        return self


class DecideBody(Body):
    """``POST /v1/agents/runs/{id}/decide``. ``result`` is what the tool would have said, if it ``happened``."""

    step: Path
    decision: Literal["happened", "not_happened", "give_up"]
    result: Any = None
    note: Annotated[str, Field(max_length=500)] = ""


def run_body(run: Run) -> dict[str, Any]:
    """An ``agent.run`` object."""
    output = run.output if isinstance(run.output, dict) else {}
    return {
        "id": run.id,
        "object": "agent.run",
        "agent": run.agent,
        "agent_version": run.version,
        "status": {"pause": "pausing", "cancel": "cancelling"}.get(run.wanted, run.state),
        "output_text": output.get("text"),
        "output": run.output,
        "error": run.error,
        "session_id": run.session_id or None,
        "user": run.person or None,
        "metadata": dict(run.metadata),
        "forked_from": run.forked_from or None,
        "created_by": run.key_id,
        "created_at": int(run.created_at),
        "updated_at": int(run.updated_at),
        "expires_at": None if run.deadline is None else int(run.deadline),
        "trace_id": run.trace_id,
        "events_sha256": run.events_sha256 or None,
    }


def step_body(step: KeptStep) -> dict[str, Any]:
    """An ``agent.run.step`` object. ``input`` is null if it was too long to be kept."""
    return {
        "id": step.path,
        "object": "agent.run.step",
        "number": step.number,
        "kind": step.kind,
        "name": step.name,
        "effect": step.effect,
        "status": step.state,
        "input": rows.load(step.input) if step.input else None,
        "input_sha256": step.digest,
        "outcome": rows.load(step.outcome),
        "approval_id": step.approval_id or None,
        "decided_by": step.decided_by or None,
        "attempts": step.attempts,
        "began_at": step.began_at,
        "ended_at": step.ended_at,
    }


def steps_body(steps: Sequence[KeptStep]) -> dict[str, Any]:
    """A list of steps, in the order of their ends; those that are not done are last."""
    return {"object": "list", "data": [step_body(each) for each in steps], "has_more": False}


def replay_body(replayed: Replayed) -> dict[str, Any]:
    """An ``agent.run.replay`` object."""
    text = "".join(str(getattr(each, "text", "")) for each in replayed.events if type(each).__name__ == "Text")
    return {
        "object": "agent.run.replay",
        "run_id": replayed.run.id,
        "identical": replayed.identical,
        "output_text": text,
        "events_sha256": replayed.events_sha256,
        "recorded_sha256": replayed.run.events_sha256 or None,
        "steps": replayed.steps,
        "unreached_steps": list(replayed.unreached),
        "error": replayed.problem,
    }
