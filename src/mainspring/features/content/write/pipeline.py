"""An article from its brief: plan, approval, research, draft, grounding, fields for search engines, versions.

The code runs from its beginning again when a run is resumed: all that it depends on is the outcome of a step
(``agents.history``). What a step used is part of its outcome, so limits hold over resumed runs.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.agents.history import History, Step, StepKind
from mainspring.agents.tools.base import Effect
from mainspring.core.types import Citation, Context, Event, Finish, Notice, Progress, Reasoning, Text, Usage
from mainspring.feature import Rooms
from mainspring.features.content.export.markdown import markdown
from mainspring.features.content.settings import ContentSettings
from mainspring.features.content.store.articles import PREFIX, Articles
from mainspring.features.content.text.article import Article, Brief, Findings, Plan, dump, read
from mainspring.features.content.text.figures import figures
from mainspring.features.content.write import compose
from mainspring.features.content.write.budgets import StepBudget
from mainspring.features.content.write.drafting import Drafted, Drafter
from mainspring.features.content.write.models import Writers, schema
from mainspring.features.content.write.research import Researcher, Scope
from mainspring.features.content.write.seo import seo

APPROVAL = "approve_plan"


@dataclass(frozen=True, slots=True)
class Kitchen:
    """What pipelines share."""

    rooms: Rooms
    settings: ContentSettings
    articles: Articles
    researcher: Researcher
    writers: Writers
    drafter: Drafter


class Pipeline:
    """One article of one run."""

    def __init__(self, kitchen: Kitchen, history: History, context: Context, brief: Brief, person: str) -> None:
        self._k = kitchen
        self._history = history
        self._context = context
        self._brief = brief
        self._person = person
        self._begun = time.monotonic()
        deadline = self._begun + brief.deadline_s if brief.deadline_s is not None else None
        remaining = context.remaining()
        ends = [each for each in (deadline, None if remaining is None else time.monotonic() + remaining) if each]
        self._deadline = min(ends) if ends else None
        self._usage = Usage()
        self.article_id = ""

    async def events(self, article_id: str) -> AsyncGenerator[Event, None]:
        """Write the article kept under ``article_id`` (empty: a new one)."""
        self.article_id = await self._opened(article_id)
        yield Notice("content_article", f"The article is {self.article_id}.", id=self.article_id)
        budgets: list[StepBudget] = []
        yield _progress("plan", "planning")
        plan, spent = await self._plan()
        budgets.append(spent)
        yield _reasoning(f"Plan of {len(plan.sections)} sections: {'; '.join(each.heading for each in plan.sections)}.")
        if self._brief.approval or self._k.settings.require_approval:
            decided = await self._approved(plan)
            if isinstance(decided, str):
                for event in self._denied(decided):
                    yield event
                return
            plan = decided
        yield _progress("research", f"{sum(len(each.questions) for each in plan.sections)} questions")
        found, spent = await self._research(plan)
        budgets.append(spent)
        yield _reasoning(_researched(found))
        yield _progress("draft", f"{len(plan.sections)} sections")
        drafted, spent = await self._draft(plan, found)
        budgets.append(spent)
        yield _progress("ground", "")
        article, spent = await self._finish(plan, drafted)
        budgets.append(spent)
        article = dataclasses.replace(article, costs=tuple(each.cost() for each in budgets))
        yield _progress("save", "")
        article = await self._saved(article)
        yield _reasoning(_told(article))
        for event in _answer(article, self._usage):
            yield event

    async def _step(
        self, path: str, name: str, given: Any, perform: Callable[[str], Awaitable[Any]], **more: Any
    ) -> Any:
        kind: StepKind = more.get("kind", "tool")
        effect: Effect = more.get("effect", "none")
        return await self._history.outcome(Step(path, kind, name, given, effect), perform)

    async def _opened(self, article_id: str) -> str:
        """The id of the article, which is kept from now on."""

        async def perform(key: str) -> Any:
            name = article_id or PREFIX + hashlib.sha256(key.encode()).hexdigest()[:26].translate(_DIGITS)
            principal, trace = self._context.principal, self._context.trace.trace_id
            await self._k.articles.create(principal, self._brief, person=self._person, trace_id=trace, article_id=name)
            await self._k.articles.change(principal, name, run_id=self._history.run_id, trace_id=trace, stage="plan")
            return {"output": name}

        return str((await self._step("1", "open_article", article_id, perform, effect="keyed"))["output"])

    async def _stage(self, stage: str) -> None:
        await self._k.articles.change(self._context.principal, self.article_id, stage=stage)

    async def _plan(self) -> tuple[Plan, StepBudget]:
        budget = self._budget("plan")

        async def perform(_: str) -> Any:
            plan, used = await self._k.researcher.plan(self._brief, self._context, budget)
            return {"output": dump(plan), "tokens": used.total_tokens, "cost": used.cost_nanousd}

        found = await self._step("2", "plan", dump(self._brief), perform)
        plan = read(Plan, found["output"])
        budget.add(found["tokens"], found["cost"])
        if (model := self._k.writers.small) and self._k.writers.mode(self._brief) == "written":
            proposed = await self._asked(
                "2.1",
                model,
                compose.PLAN_INSTRUCTION,
                compose.plan_prompt(self._brief, plan),
                800,
                budget,
                compose.PLAN,
            )
            plan = compose.planned(proposed, self._brief, plan) or plan
        await self._step("2.2", "keep_plan", dump(plan), lambda _: self._kept(plan), effect="keyed")
        return plan, budget

    async def _kept(self, plan: Plan) -> Any:
        await self._k.articles.change(self._context.principal, self.article_id, plan=plan)
        return {"output": None}

    async def _approved(self, plan: Plan) -> Plan | str:
        """The plan as a person approved it; why it was not."""
        hours = self._k.settings.approval_hours
        asked = {
            "call_id": self.article_id,
            "arguments": {"article": self.article_id, "plan": dump(plan)},
            "expires_s": hours * 3600,
        }
        found = await self._history.outcome(Step("3", "approval", APPROVAL, asked), _never)
        if not found["approved"]:
            return f"{found['decision']}: {found['note']}" if found.get("note") else str(found["decision"])

        async def perform(_: str) -> Any:
            kept = await self._k.articles.get(self._context.principal, self.article_id)
            return {"output": dump(kept.plan or plan)}

        # A person may have edited it meanwhile.
        return read(Plan, (await self._step("4", "approved_plan", self.article_id, perform))["output"])

    def _denied(self, why: str) -> list[Event]:
        said = f"The plan was not approved ({why}), so nothing was researched."
        return [Notice("plan_not_approved", said, id=self.article_id), Text(said), self._usage, Finish("stop")]

    async def _research(self, plan: Plan) -> tuple[list[list[Findings]], StepBudget]:
        """What was found for each question of each section."""
        budget = self._budget("research")
        gate = asyncio.Semaphore(self._k.settings.parallel)
        scope: list[Scope] = []
        await self._step("5", "begin_research", None, lambda _: self._staged("research"))

        async def one(path: str, question: str) -> Findings:
            async def perform(_: str) -> Any:
                async with gate:
                    if not scope:
                        scope.append(await self._k.researcher.scope(self._brief, self._context))
                    return {
                        "output": dump(
                            await self._k.researcher.find(question, scope[0], self._context, budget, self._person)
                        )
                    }

            found = read(Findings, (await self._step(path, "research", {"question": question}, perform))["output"])
            budget.add(found.tokens, found.cost_nanousd, found.limit)
            self._spend(found.tokens, found.cost_nanousd)
            return found

        each = [
            asyncio.gather(*(one(f"5.{place}.{at}", text) for at, text in enumerate(section.questions, 1)))
            for place, section in enumerate(plan.sections, 1)
        ]
        return list(await asyncio.gather(*each)), budget

    async def _staged(self, stage: str) -> Any:
        await self._stage(stage)
        return {"output": stage}

    async def _draft(self, plan: Plan, found: Sequence[Sequence[Findings]]) -> tuple[Drafted, StepBudget]:
        budget = self._budget("draft")
        await self._step("6", "begin_draft", None, lambda _: self._staged("draft"))
        mode, drafts = self._k.writers.mode(self._brief), {}
        if mode == "written":
            model, before = self._k.writers.draft, list[str]()
            words = self._brief.words // max(1, len(plan.sections))
            for place, (section, each) in enumerate(zip(plan.sections, found, strict=True), 1):
                notes = self._k.drafter.notes(each)
                if not notes:
                    continue
                instruction = compose.draft_instruction(self._brief, words)
                prompt = compose.draft_prompt(section, notes, before)
                text = await self._asked(f"6.{place}", model, instruction, prompt, words * 2 + 100, budget)
                before.append(section.heading)
                if text:
                    drafts[place - 1] = text

        async def perform(_: str) -> Any:
            made = await self._k.drafter.drafted(self._brief, plan, found, drafts, self._context)
            return {"output": dump(made)}

        given = {"drafts": {str(place): text for place, text in drafts.items()}}
        return read(Drafted, (await self._step("7", "ground", given, perform))["output"]), budget

    async def _finish(self, plan: Plan, drafted: Drafted) -> tuple[Article, StepBudget]:
        budget = self._budget("seo")
        mode = self._k.writers.mode(self._brief)
        article = Article(
            plan.title,
            drafted.sections,
            drafted.sources,
            drafted.evidence,
            drafted.mode,
            self._k.writers.draft if drafted.mode == "written" else "",
            overlaps=drafted.overlaps,
            remarks=drafted.remarks,
        )
        proposed = None
        if (model := self._k.writers.small) and mode == "written":
            text = markdown(article)[:6000]
            proposed = await self._asked("8", model, compose.SEO_INSTRUCTION, text, 200, budget, compose.SEO)
        return dataclasses.replace(article, seo=seo(article, self._brief, compose.fields(proposed))), budget

    async def _saved(self, article: Article) -> Article:
        """The article as it is kept: what it cost in seconds is of the process that ended it."""

        async def perform(_: str) -> Any:
            kept = await self._k.articles.put(self._context.principal, self.article_id, 1, article)
            await self._stage("done")
            return {"output": dump(kept.article)}

        given = dump(dataclasses.replace(article, costs=()))
        return read(Article, (await self._step("9", "save_article", given, perform, effect="keyed"))["output"])

    async def _asked(
        self, path: str, model: str, instruction: str, text: str, most: int, budget: StepBudget, fits: Any = None
    ) -> str | None:
        """What ``model`` says, in one step; None if it says nothing."""

        async def perform(_: str) -> Any:
            fields = {} if fits is None else {"grammar": schema(fits)}
            written = await self._k.writers.write(model, instruction, text, most, self._context, budget, **fields)
            return {
                "text": written.text,
                "tokens": written.tokens,
                "cost": written.cost_nanousd,
                "limit": written.limit,
                "fault": written.fault,
            }

        given = {"system": instruction, "user": text, "max_tokens": most}
        found = await self._step(path, model, given, perform, kind="model")
        budget.add(found["tokens"], found["cost"], found["limit"])
        self._spend(found["tokens"], found["cost"])
        said: str | None = found["text"]
        return said

    def _spend(self, tokens: int, cost: int) -> None:
        self._usage = self._usage + Usage(tokens, 0, 0, cost)

    def _budget(self, step: str) -> StepBudget:
        return StepBudget(step, getattr(self._k.settings, step), self._deadline)


async def _never(_: str) -> Any:
    raise AssertionError("an approval performs nothing")


_DIGITS = str.maketrans("ilou", "wxyz")


def _progress(stage: str, detail: str) -> Event:
    return Progress(stage, detail)


def _reasoning(text: str) -> Event:
    return Reasoning(text + "\n")


def _researched(found: Sequence[Sequence[Findings]]) -> str:
    each = [one for section in found for one in section]
    notes = [note for one in each for note in one.notes]
    sources = {(note.source.kind, note.source.id) for note in notes}
    cached = sum(one.cached for one in each)
    again = f", {cached} of them known" if cached else ""
    return f"Research: {len(each)} questions{again}, {len(notes)} passages of {len(sources)} sources."


def _told(article: Article) -> str:
    found = figures(article)
    struck = f", {found['struck']} struck" if found["struck"] else ""
    return f"Grounding: {found['statements']} statements{struck}, {found['sources']} sources."


def _answer(article: Article, usage: Usage) -> list[Event]:
    """The article as an answer: its text, what it cites, and the remarks."""
    events: list[Event] = [Text(markdown(article))]
    for number, each in enumerate(article.evidence, 1):
        source = article.sources[each.source - 1]
        if source.kind == "document":
            events.append(
                Citation(
                    number,
                    source.id,
                    source.title,
                    each.quote,
                    each.start,
                    each.end,
                    each.page,
                    each.heading,
                    vector_store_id=source.collection_id,
                    file_id=source.file_id,
                )
            )
    return [*events, *(Notice(each.code, each.text) for each in article.remarks), usage, Finish("stop")]
