"""Ends what an advice began: what it brought in itself, and nobody else uses, goes out again.

A candidate's id is that of its content, so that people may have the same one. What the door had before is recorded
before an advice admits anything (``stages.preparing``), and the door looks again when it is withdrawn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from mainspring.core.errors import MainspringError
from mainspring.features.advise.rule.rows import Way
from mainspring.features.advise.trying import learning, stages
from mainspring.features.advise.trying.stages import Advice
from mainspring.features.advise.trying.tools import AdviceTools


async def given_back(tools: AdviceTools, advice: Advice, kept: Collection[Way | None] = ()) -> None:
    """Withdraw the candidates and the weights of all ways but ``kept``. Can be done again."""
    found = tools.admissions
    if found is None:
        return
    others = await tools.store.admitted_by_others(advice.tenant, advice.row.id)
    reason = f"{advice.row.id} does not recommend it"
    for each in advice.notes.get("admissions", ()):
        if each["new"] and each["way"] not in kept and each["id"] not in others:
            with contextlib.suppress(MainspringError):
                await found.withdraw_unused(advice.principal, each["application"], each["id"], reason)
    label = advice.notes.get("version")
    if label and advice.notes.get("version_new") and stages.TRAINED.isdisjoint(kept):
        with contextlib.suppress(MainspringError):
            if not await found.version_is_used(advice.tenant, label):
                await tools.versions.withdraw_version(advice.principal, label)


async def stopped(tools: AdviceTools, advice: Advice) -> None:
    """Stop what it ordered, also what a process was killed over before it was noted. Can be done again."""
    with contextlib.suppress(MainspringError):
        if advice.row.stage == "training" and (job := await _training(tools, advice)):
            await tools.trainer.cancel_training(advice.principal, job)
    with contextlib.suppress(MainspringError):
        if tools.stopper is not None:
            await tools.stopper.stop_ordered(advice.principal, stages.comparison_key(advice))
    with contextlib.suppress(MainspringError):
        await given_back(tools, advice)
    await learning.remove(learning.folder(tools.root, advice.tenant, advice.row.id))


async def _training(tools: AdviceTools, advice: Advice) -> str:
    if known := advice.notes.get("job"):
        return str(known)
    if tools.trainings is None or advice.wish.tune is None:
        return ""
    found = await tools.trainings.ordered_training(advice.tenant, stages.order_of(tools, advice, advice.wish.tune))
    return "" if found is None else found.id
