"""All events of one answer as one interaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict
from mainspring.core.facts.answers import GivenFacts
from mainspring.core.facts.calls import CallFacts
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.facts.opinions import SUPPORT, FeedbackFacts, LabelFacts, ScoreFacts
from mainspring.core.facts.registry import read
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.files.interaction_rows import row as clean_row
from mainspring.features.lake.stream.set_aside_events import reason
from mainspring.serving.ring import request_snapshot
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.schema import contents

SYNTHETIC_USERS = ("mainspring-test", "redteam")
"""Names of users under which tests ask."""


def texts(connection: sa.Connection, tenant: str, digests: Sequence[str]) -> dict[str, str]:
    """The stored texts that exist, by sha256."""
    found: dict[str, str] = {}
    for part in parts(sorted(set(digests))):
        query = sa.select(contents.c.sha256, contents.c.text)
        found.update(
            (row.sha256, row.text)
            for row in connection.execute(query.where(contents.c.tenant == tenant, contents.c.sha256.in_(part)))
        )
    return found


def joined(
    connection: sa.Connection,
    tenant: str,
    by_subject: Mapping[str, Sequence[sa.Row[Any]]],
    groups: Mapping[str, tuple[str, ...]],
    revision: int,
    failed: dict[str, str],
) -> list[dict[str, Any]]:
    """The rows of the clean zone of these answers. Answers whose text is not kept have none. Those that cannot be read
    are named in ``failed``, with the kind of the error."""
    own = [row.content_id for theirs in by_subject.values() for row in theirs if row.content_id]
    said = texts(connection, tenant, own)
    parsed: dict[str, Mapping[str, Any]] = {}
    earlier: list[str] = []
    for subject, theirs in by_subject.items():
        answer = next((row for row in theirs if row.kind in ("answer", "replay")), None)
        if answer is not None and answer.content_id in said:
            try:
                content = orjson.loads(said[answer.content_id])
                earlier += request_snapshot.references(content)
                parsed[subject] = content
            except Exception as error:  # what is wrong with one text has many kinds
                failed[subject] = reason(error)
    said |= texts(connection, tenant, [each for each in earlier if each not in said])
    made = []
    for subject, content in parsed.items():
        try:
            found, used = _interaction(tenant, by_subject[subject], content, said)
            if found is not None:
                made.append(clean_row(found, groups.get(subject, ()), sorted(used), revision))
        except Exception as error:  # and so has what is wrong with one event about it
            failed[subject] = reason(error)
    return made


def _interaction(
    tenant: str, theirs: Sequence[sa.Row[Any]], content: Mapping[str, Any], said: Mapping[str, str]
) -> tuple[Interaction | None, set[str]]:
    answer = next(row for row in theirs if row.kind in ("answer", "replay"))
    facts = read(answer.kind, rows.load(answer.facts))
    if not isinstance(facts, GivenFacts):
        return None, set()
    messages, used = _messages(content, said)
    choice: Mapping[str, Any] = (content.get("choices") or ({},))[0]
    citations = content.get("citations") or ()
    later = _Later()
    for row in theirs:
        if row is not answer:
            later.take(row, said)
            if row.content_id in said and later.used_text:
                used.add(row.content_id)
            later.used_text = False
    used.add(answer.content_id)
    prompt = facts.prompt
    return Interaction(
        tenant=tenant,
        answer_id=answer.id,
        trace_id=answer.trace_id,
        at=answer.at,
        event_ids=tuple(row.id for row in theirs),
        messages=messages,
        answer=str(choice.get("text") or ""),
        subject=answer.person,
        session_id=facts.session_id or "",
        key_id=facts.key_id,
        application=facts.requested,
        model=facts.model or later.model,
        model_version=later.model_version,
        prompt="" if prompt is None else f"{prompt.name}@{prompt.version}",
        arm=facts.arm,
        status=facts.status,
        finish=next((each for each in facts.finish if each), "") if facts.finish else "",
        consent=answer.consent,
        passages=tuple(str(each.get("quote") or "") for each in citations),
        documents=tuple(later.documents or dict.fromkeys(str(each.get("document_id")) for each in citations)),
        cited=tuple(sorted({int(each.get("index") or 0) for each in citations})),
        refused=False if later.retrieved and not later.refused else later.refused or None,
        thumb=later.thumb,
        comment=later.comment,
        edited=later.edited,
        scores=later.scores,
        labels=later.labels(),
        guards=tuple(later.guards),
        prompt_tokens=facts.prompt_tokens,
        completion_tokens=facts.completion_tokens,
        cost_nanousd=facts.cost_nanousd,
        duration_s=facts.duration_s,
        ttft_s=facts.ttft_s,
        synthetic=answer.kind == "replay" or bool(facts.replay_of) or answer.person in SYNTHETIC_USERS,
    ), used


def _messages(content: Mapping[str, Any], said: Mapping[str, str]) -> tuple[tuple[Mapping[str, Any], ...], set[str]]:
    """The messages of a request, and the stored texts of earlier turns that are among them."""
    prompt = content.get("prompt")
    if isinstance(prompt, str):
        return ({"role": "user", "content": prompt},), set()
    rendered = prompt.get("messages", ()) if isinstance(prompt, Mapping) else ()
    asked: Sequence[Mapping[str, Any]] = content.get("messages") or ()
    used: set[str] = set()
    if "sent" in content:
        used = set(request_snapshot.references(content))
        try:
            restored, _ = request_snapshot.restored_messages(content, said)
            asked = [request_snapshot.plain(each) for each in restored]
        except Conflict:
            # Earlier turns are gone: the new messages stand alone.
            used = set()
    return (*rendered, *asked), used


class _Later:
    """What the other events say."""

    def __init__(self) -> None:
        self.model = self.model_version = self.comment = ""
        self.thumb: Any = None
        self.edited: str | None = None
        self.refused = self.retrieved = self.used_text = False
        self.documents: dict[str, None] = {}
        self.guards: dict[str, None] = {}
        self.scores: dict[str, float] = {}
        self._labels: dict[str, list[float]] = defaultdict(list)
        self._adjudicated: LabelFacts | None = None

    def take(self, row: sa.Row[Any], said: Mapping[str, str]) -> None:
        facts = read(row.kind, rows.load(row.facts))
        match facts:
            case CallFacts(charged="", depth=_):
                self.model, self.model_version = facts.model, f"{facts.provider}/{facts.model}"
            case RetrievalFacts():
                self.retrieved, self.refused = True, facts.refused
                self.documents.update(dict.fromkeys(hit.document_id for hit in facts.hits))
            case GuardFacts() if not facts.dry_run:
                self.guards[f"{facts.guard}:{facts.kind}:{facts.action}"] = None
            case FeedbackFacts():
                if facts.rating in ("up", "down"):
                    self.thumb = facts.rating
                self.comment = facts.comment or self.comment
                self._corrected(facts.edited, row, said)
            case ScoreFacts():
                self._score(facts)
            case LabelFacts():
                self._label(facts, row, said)

    def _corrected(self, edited: bool, row: sa.Row[Any], said: Mapping[str, str]) -> None:
        if edited and row.content_id in said:
            self.edited, self.used_text = said[row.content_id], True

    def _score(self, facts: ScoreFacts) -> None:
        if facts.metric == SUPPORT and facts.sentences:
            self.scores["support"] = 1 - (facts.unsupported or 0) / facts.sentences
        for name, value in (facts.scores or {}).items():
            if isinstance(value, int | float):
                self.scores[name] = float(value)

    def _label(self, facts: LabelFacts, row: sa.Row[Any], said: Mapping[str, str]) -> None:
        self._corrected(facts.edited, row, said)
        if facts.adjudicated:
            # It decides between the earlier ones.
            self._labels.clear()
            self._adjudicated = facts
        elif self._adjudicated is not None:
            return
        for name, value in (facts.scores or {}).items():
            self._labels[name].append(float(value))
        if facts.approved is not None:
            self._labels["approved"].append(float(facts.approved))

    def labels(self) -> dict[str, float]:
        """The mean of each criterion."""
        made = {name: sum(values) / len(values) for name, values in self._labels.items()}
        if "approved" in made:
            made["approved"] = float(made["approved"] >= 0.5)
        return made
