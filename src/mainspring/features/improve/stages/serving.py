"""The stages with traffic: a person's word, shadow, canary, promotion, the watch after it, and the ways back."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import sqlalchemy as sa

import mainspring.features.improve.lineage.store as lineage
from mainspring.core.errors import Conflict, NotFound, Unsupported
from mainspring.core.types import Context, Principal, ToolCall
from mainspring.features.improve.stages import online
from mainspring.features.improve.stages.campaign import ERASED, Campaign, Move, following, refused, taken_back
from mainspring.features.improve.stages.making import Result, serving
from mainspring.features.improve.stages.online import Counted
from mainspring.features.improve.stages.placements import in_use, uses
from mainspring.features.improve.stages.tools import Tools
from mainspring.features.improve.tables import improve_campaigns
from mainspring.stores.sql import rows
from mainspring.stores.work.approvals import Approval
from mainspring.training.ports import Placement

APPROVED_CALL = "promote"
TAKEN_AWAY = "somebody withdrew it"


async def waiting(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """A person approves, or not (``mainspring approvals``)."""
    asked = campaign.notes.get("approval")
    if asked is None:
        await _ask(tools, campaign, principal)
        return None
    found = await tools.approvals.get(principal, asked)
    if found.status == "pending":
        return None
    if found.status in ("approved", "taken"):
        if found.status == "approved":
            # It may have been taken before this process was killed.
            with contextlib.suppress(Conflict):
                await tools.approvals.take(Context(principal), asked, campaign.application)
        note = f": {found.note}" if found.note else ""
        move = serving(campaign, f"approved by {found.decided_by}{note}", {}, {})
        return Move(move.stage, move.reason, by=found.decided_by), ()
    if found.status == "denied":
        note = f": {found.note}" if found.note else ""
        return taken_back(campaign, f"denied by {found.decided_by}{note}", person=True), ()
    return refused(campaign, "nobody decided in time"), ()


async def _ask(tools: Tools, campaign: Campaign, principal: Principal) -> None:
    told = {"campaign": campaign.id, "candidate": campaign.candidate_id, "why": campaign.reason}
    call = ToolCall(f"call_{campaign.id}", APPROVED_CALL, json.dumps(told, ensure_ascii=False))

    def also(connection: sa.Connection, made: Approval) -> None:
        c = improve_campaigns.c
        mine = sa.and_(c.tenant == campaign.tenant, c.id == campaign.id, c.number == campaign.number)
        # In the transaction of the approval: two are never asked for.
        fresh = sa.and_(mine, c.notes == rows.dump(dict(campaign.notes)))
        notes = rows.dump({**campaign.notes, "approval": made.id})
        if not connection.execute(sa.update(improve_campaigns).where(fresh).values(notes=notes)).rowcount:
            raise Conflict(f"the campaign {campaign.id} has gone on")

    await tools.approvals.request(call, campaign.application, Context(principal), campaign.policy.gate_s, also=also)


async def shadow(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """Copies of requests, whose answers nobody sees."""
    wanted = campaign.policy.shadow
    assert wanted is not None
    placed = await tools.door.placement(campaign.tenant, campaign.application)
    if not _is_placed(placed, campaign, "shadow"):
        if campaign.notes.get("placed") == "shadow":
            return taken_back(campaign, TAKEN_AWAY, person=True), ()
        await tools.door.shadow(principal, campaign.made, wanted.share)
    if campaign.notes.get("placed") != "shadow":
        await tools.campaigns.note(campaign, {"placed": "shadow", "shadow_since": time.time()})
        return None
    counts = tools.shadows
    copies, failed = (0, 0) if counts is None else await counts.shadowed(campaign.tenant, campaign.made)
    call = online.shadow(wanted, copies, failed, campaign.notes["shadow_since"], time.time())
    if call.action == "wait":
        return None
    if call.action == "go":
        return taken_back(campaign, call.reason, call.figures, person=False), ()
    return Move("canary" if campaign.policy.canary is not None else "promoting", call.reason, call.figures), ()


async def canary(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """A share of the traffic, under a trial that may be looked at as often as one likes."""
    wanted = campaign.policy.canary
    assert wanted is not None
    now = time.time()
    step = int(campaign.notes.get("step", 0))
    placed = await tools.door.placement(campaign.tenant, campaign.application)
    if not _is_placed(placed, campaign, "canary") or placed.share != wanted.steps[step]:
        if campaign.notes.get("placed") == "canary" and not _is_placed(placed, campaign, "canary"):
            return taken_back(campaign, TAKEN_AWAY, person=True), ()
        await tools.door.canary(principal, campaign.made, wanted.steps[step])
    if campaign.notes.get("placed") != "canary":
        guards: list[dict[str, Any]] = [dict(each) for each in wanted.guards]
        trial = {"metric": dict(wanted.metric), "guards": guards, "alpha": wanted.alpha}
        await tools.trials.begin_trial(principal, campaign.trial, campaign.application, trial)
        await tools.campaigns.note(
            campaign, {"placed": "canary", "trial": campaign.trial, "step_since": now, "canary_since": now}
        )
        return None
    verdict = await tools.trials.trial_verdict(campaign.tenant, campaign.trial)
    doubted = campaign.notes.get("unsound")
    if not verdict.sound and (doubted is None or now - doubted < tools.settings.every_s):
        # Answers that are on their way while the share changes count to the other one: it has to repeat.
        if doubted is None:
            await tools.campaigns.note(campaign, {"unsound": now})
        return None
    if verdict.sound and doubted is not None:
        await tools.campaigns.note(campaign, {"unsound": None})
        return None
    call = online.canary(wanted, verdict, step, campaign.notes["step_since"], campaign.notes["canary_since"], now)
    if call.action == "wait":
        return None
    if call.action == "grow":
        notes = {"step": step + 1, "step_since": now}
        share = f"{wanted.steps[step + 1]:.0%} of the traffic"
        return Move("canary", f"{share}: {call.reason}", call.figures, notes), ()
    if call.action == "go":
        return taken_back(campaign, call.reason, call.figures, person=False), ()
    return Move("promoting", call.reason, call.figures), ()


def _is_placed(placed: Placement, campaign: Campaign, stage: str) -> bool:
    found = placed.candidate
    return placed.stage == stage and found is not None and found.id == campaign.candidate_id


async def promoting(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """It takes the place of what is current."""
    placed = await tools.door.placement(campaign.tenant, campaign.application)
    if "incumbent" not in campaign.notes:
        # Before the promotion: afterwards nobody knows what was there.
        before = await tools.variants.incumbent(campaign.tenant, campaign.application, campaign.candidate_id)
        await tools.campaigns.note(campaign, {"incumbent": before})
        return None
    if not in_use(placed, campaign.candidate_id):
        # This process may have been killed behind the promotion, and a person may have taken it back since.
        taken = tools.taken
        if taken is not None and await taken.taken_back(campaign.tenant, campaign.made, campaign.created_at):
            return taken_back(campaign, TAKEN_AWAY, person=True), ()
        await tools.door.promote(principal, campaign.made)
    if campaign.notes.get("trial"):
        await tools.trials.finish_trial(principal, campaign.trial)
    variant = campaign.candidate_id
    counted = await tools.variants.counted(campaign.tenant, campaign.application, variant)
    notes = {"promoted_at": time.time(), "counted": [getattr(counted, each) for each in Counted.__slots__]}
    move = Move("watching", f"{campaign.reason}: promoted", notes=notes, outcome="promoted")
    return move, (lambda connection: lineage.promoted(connection, campaign.tenant, variant),)


async def watching(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """The watch after a promotion."""
    del principal
    wanted, variant = campaign.policy.after, campaign.candidate_id
    placed = await tools.door.placement(campaign.tenant, campaign.application)
    if not in_use(placed, variant):
        why, notes = "something else was put in its place", dict[str, Any]()
        taken, since = tools.taken, campaign.notes["promoted_at"]
        if taken is not None and (told := await taken.taken_back(campaign.tenant, campaign.made, since)):
            why, notes = f"{TAKEN_AWAY}: {told}", {"taken_back": True, "by_person": True}
        move = Move("rolled back", why, notes=notes, outcome="rolled back")
        return move, (lambda each: lineage.withdrawn(each, campaign.tenant, variant, move.reason),)
    before = await tools.variants.counted(campaign.tenant, campaign.application, campaign.notes["incumbent"])
    found = await tools.variants.counted(campaign.tenant, campaign.application, variant)
    call = online.after(wanted, before, found.since(Counted(*campaign.notes["counted"])))
    if call.action == "go":
        return Move("undoing", call.reason, call.figures), ()
    if time.time() - campaign.notes["promoted_at"] < wanted.seconds:
        return None
    return Move("promoted", f"it held for {wanted.seconds:.0f} s", call.figures), ()


async def undoing(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """What was there before comes back."""
    placed = await tools.door.placement(campaign.tenant, campaign.application)
    for each in uses(placed):
        if each.id == campaign.candidate_id:
            # Not ``undo``, which would take back one more if it is done again after a kill.
            await tools.door.withdraw(principal, each, campaign.reason)
    variant, reason = campaign.candidate_id, campaign.reason
    if reason == ERASED:
        # Otherwise a person may want it back.
        await _unserved(tools, campaign, principal)
    move = Move("rolled back", reason, notes={"taken_back": reason != ERASED}, outcome="rolled back")
    return move, (lambda connection: lineage.withdrawn(connection, campaign.tenant, variant, reason),)


async def withdrawing(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """What was refused, or stopped, gets no more traffic; then the next rung, if there is one."""
    job = campaign.notes.get("job")
    if job is not None and campaign.candidate is None:
        view = await tools.trainer.training_job(campaign.tenant, job)
        if view.state not in ("succeeded", "failed", "cancelled"):
            await tools.trainer.cancel_training(principal, job)
    if asked := campaign.notes.get("approval"):
        # Nobody decides what is over.
        with contextlib.suppress(Conflict, NotFound):
            told = "the campaign is over"
            await tools.approvals.decide(Context(principal), asked, approve=False, note=told, own=True)
    if campaign.notes.get("trial"):
        await tools.trials.finish_trial(principal, campaign.trial)
    await tools.folders.remove(campaign.tenant, campaign.id)
    variant, reason = campaign.candidate_id, campaign.reason
    if not variant:
        await _unserved(tools, campaign, principal)
        return following(campaign), ()
    placed = await tools.door.placement(campaign.tenant, campaign.application)
    if placed.candidate is not None and placed.candidate.id == variant:
        await tools.door.withdraw(principal, placed.candidate, reason)
    elif not in_use(placed, variant):
        # It was admitted, and would be for good. (One that was erased has no value, and so another id.)
        with contextlib.suppress(NotFound):
            await tools.door.withdraw(principal, campaign.made, reason)
    if not in_use(placed, variant):
        await _unserved(tools, campaign, principal)
    return following(campaign), (lambda each: lineage.withdrawn(each, campaign.tenant, variant, reason),)


async def _unserved(tools: Tools, campaign: Campaign, principal: Principal) -> None:
    """Take the version out of service that this rung has put there."""
    if label := campaign.notes.get("served"):
        with contextlib.suppress(NotFound, Unsupported):
            await tools.versions.withdraw_version(principal, label)
