"""What changes of a placement are allowed, and what comes of them. Doing one twice is doing it once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mainspring.core.errors import Conflict, NotFound
from mainspring.features.variants.store import Change, Place, Stage, StoredCandidate, VariantMove

__all__ = ["Change", "canary", "instead", "promote", "shadow", "undo", "withdraw", "withdraw_unused"]
Find = Callable[[str], StoredCandidate | None]


def shadow(candidate_id: str, share: float) -> Change:
    """Copies of a share of the requests."""
    return _trial(candidate_id, "shadow", share)


def canary(candidate_id: str, share: float) -> Change:
    """A share of the units."""
    return _trial(candidate_id, "canary", share)


def _trial(candidate_id: str, stage: Stage, share: float) -> Change:
    def decide(place: Place, _: Sequence[VariantMove], find: Find) -> tuple[Place, VariantMove] | None:
        kept = _admitted(find, candidate_id)
        _free(place, candidate_id)
        if candidate_id in place.ids:
            raise Conflict(f"{candidate_id} is current already", param="candidate")
        if place.candidate is not None and (place.stage, place.share) == (stage, share):
            return None
        action = "canary" if stage == "canary" else "shadow"
        after = replace(place, candidate=kept, stage=stage, share=share)
        return after, _move(kept, action=action, share=share)

    return decide


def promote(candidate_id: str) -> Change:
    """It becomes the current one of its kind."""

    def decide(place: Place, _: Sequence[VariantMove], find: Find) -> tuple[Place, VariantMove] | None:
        kept = _admitted(find, candidate_id)
        if candidate_id in place.ids and place.candidate is None:
            return None
        _free(place, candidate_id)
        return place.without_candidate().with_current(kept), _move(kept, action="promoted")

    return decide


def withdraw(candidate_id: str, reason: str) -> Change:
    """It gets no more traffic; if it is current, the one of its kind before it is so again."""

    def decide(place: Place, moves: Sequence[VariantMove], find: Find) -> tuple[Place, VariantMove] | None:
        kept = find(candidate_id)
        if kept is None:
            raise NotFound(f"there is no candidate {candidate_id:.40}", param="candidate")
        if kept.status != "admitted":
            return None
        after = place
        if place.candidate is not None and place.candidate.id == candidate_id:
            after = after.without_candidate()
        if candidate_id in place.ids:
            before = _before(kept, moves, find)
            others = tuple(each for each in place.currents if each.id != candidate_id)
            after = replace(after.without_candidate(), currents=others if before is None else (*others, before))
        return after, _move(kept, action="withdrawn", reason=reason)

    return decide


def withdraw_unused(candidate_id: str, by: str, reason: str) -> Change:
    """Withdraw what ``by`` admitted and nobody gave traffic since."""
    plain = withdraw(candidate_id, reason)

    def decide(place: Place, moves: Sequence[VariantMove], find: Find) -> tuple[Place, VariantMove] | None:
        if candidate_id in place.ids or (place.candidate is not None and place.candidate.id == candidate_id):
            return None
        for move in reversed(moves):
            if move.candidate != candidate_id:
                continue
            if move.action == "admitted":
                if move.by != by:
                    return None
                break
            if move.action != "withdrawn":
                return None
        return plain(place, moves, find)

    return decide


def instead(candidate_id: str, gone: str, reason: str) -> Change:
    """What is left of ``gone``, which was current and is not any more, takes its place: an undo goes back to what was
    there before both."""

    def decide(place: Place, moves: Sequence[VariantMove], find: Find) -> tuple[Place, VariantMove]:
        kept = _admitted(find, candidate_id)
        was = find(gone)
        earlier = None if was is None else _before(was, moves, find)
        before = [*place.ids, *([] if earlier is None else [earlier.id])]
        return place.with_current(kept), _move(kept, action="promoted", reason=reason, before=before)

    return decide


def undo(reason: str) -> Change:
    """What was current before the latest promotion that stands."""

    def decide(place: Place, moves: Sequence[VariantMove], find: Find) -> tuple[Place, VariantMove]:
        standing = _standing(moves)
        # One whose candidate was withdrawn is undone already.
        while standing and standing[-1].candidate not in place.ids:
            standing.pop()
        if not standing:
            under = place.candidate is not None
            remedy = "Withdraw the candidate to take it from its trial" if under else ""
            raise Conflict(f"{place.application} had no current variant before", remedy=remedy, param="application")
        last = standing[-1]
        found = [find(each) for each in last.before]
        currents = tuple(each for each in found if each is not None and each.status == "admitted")
        after = replace(place.without_candidate(), currents=currents)
        return after, VariantMove("undone", last.candidate, last.kind, reason=reason)

    return decide


def _standing(moves: Sequence[VariantMove]) -> list[VariantMove]:
    """The promotions that were not undone."""
    standing: list[VariantMove] = []
    for move in moves:
        if move.action == "promoted":
            standing.append(move)
        elif move.action == "undone":
            while standing and standing.pop().candidate != move.candidate:
                pass
    return standing


def _before(kept: StoredCandidate, moves: Sequence[VariantMove], find: Find) -> StoredCandidate | None:
    """What was current of its kind before ``kept`` became so; None: what the settings say."""
    for move in reversed(_standing(moves)):
        if move.candidate != kept.id:
            continue
        found = [find(each) for each in move.before]
        return next(
            (
                each
                for each in found
                if each is not None and each.status == "admitted" and each.candidate.kind == kept.candidate.kind
            ),
            None,
        )
    return None


def _admitted(find: Find, candidate_id: str) -> StoredCandidate:
    kept = find(candidate_id)
    if kept is None or kept.status != "admitted":
        raise NotFound(f"no candidate {candidate_id:.40} is admitted", remedy="Admit it first", param="candidate")
    return kept


def _free(place: Place, candidate_id: str) -> None:
    if place.candidate is not None and place.candidate.id != candidate_id:
        raise Conflict(
            f"{place.candidate.id} is under trial in {place.application}",
            remedy="Promote or withdraw it first",
            param="candidate",
        )


def _move(kept: StoredCandidate, **told: object) -> VariantMove:
    candidate = kept.candidate
    move = VariantMove("admitted", kept.id, candidate.kind, version=candidate.version)
    return replace(move, **told)  # type: ignore[arg-type]
