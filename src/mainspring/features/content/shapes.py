"""Bodies of the routes of articles, and their objects."""

# No postponed annotations here: FastAPI must see the aliases.

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field

from mainspring.features.content.service import ArticleState
from mainspring.features.content.store.articles import KeptVersion
from mainspring.features.content.text.article import Article, Brief, Plan, PlannedSection, dump, read
from mainspring.features.content.text.figures import figures
from mainspring.features.content.write.plan import MOST_SECTIONS
from mainspring.features.content.write.revise import Wish
from mainspring.http.bodies import Body, Few, Name

Line = Annotated[str, Field(min_length=1, max_length=400)]
Redact = Callable[[str], str]


class ArticleBody(Body):
    """``POST /v1/content/articles``: the brief."""

    topic: Annotated[str, Field(min_length=1, max_length=2000)]
    audience: Annotated[str, Field(max_length=400)] = ""
    kind: Literal["article", "blog", "guide", "report", "faq", "news"] = "article"
    length: Literal["short", "medium", "long"] = "medium"
    tone: Annotated[str, Field(max_length=200)] = ""
    keywords: Few[Line] = Field(default_factory=list)
    questions: Annotated[list[Line], Field(max_length=MOST_SECTIONS, fail_fast=True)] = Field(default_factory=list)
    collections: Few[Name] = Field(default_factory=list)
    documents: Annotated[list[Name], Field(max_length=500, fail_fast=True)] = Field(default_factory=list)
    web: bool | None = None
    domains: Few[Name] = Field(default_factory=list)
    approval: bool = False
    mode: Literal["auto", "extractive", "written"] = "auto"
    unsupported: Literal["strike", "mark"] = "strike"
    deadline_s: Annotated[float, Field(gt=0, le=3600)] | None = None
    user: Annotated[str, Field(max_length=256, description="User of the application")] = ""

    def brief(self) -> Brief:
        """The brief."""
        given = self.model_dump(exclude={"user"})
        listed = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return Brief(**{**given, **listed})


class PlanSectionBody(Body):
    """A section of a plan."""

    heading: Annotated[str, Field(min_length=1, max_length=200)]
    questions: Annotated[list[Line], Field(min_length=1, max_length=8, fail_fast=True)]


class PlanBody(Body):
    """A plan that a person has edited."""

    title: Annotated[str, Field(min_length=1, max_length=300)]
    sections: Annotated[list[PlanSectionBody], Field(min_length=1, max_length=MOST_SECTIONS, fail_fast=True)]

    def plan(self) -> Plan:
        """The plan."""
        return Plan(self.title, tuple(PlannedSection(each.heading, tuple(each.questions)) for each in self.sections))


class ApprovePlanBody(Body):
    """``POST /v1/content/articles/{article_id}/approve``: ``plan`` replaces the proposed plan."""

    plan: PlanBody | None = None
    note: Annotated[str, Field(max_length=500)] = ""


class DenyPlanBody(Body):
    """``POST /v1/content/articles/{article_id}/deny``."""

    note: Annotated[str, Field(max_length=500)] = ""


class ReviseBody(Body):
    """``POST /v1/content/articles/{article_id}/revise``: ``version`` is the one that you have read."""

    section: Annotated[int, Field(ge=1, le=100)]
    instruction: Annotated[str, Field(min_length=1, max_length=1000)]
    version: Annotated[int, Field(ge=1)] | None = None

    def wish(self) -> Wish:
        """The wish."""
        return Wish(self.section, self.instruction, self.version)


def shown_body(shown: ArticleState) -> dict[str, Any]:
    """A ``content.article`` object without its text."""
    kept = shown.kept
    return {
        "id": kept.id,
        "object": "content.article",
        "status": shown.status,
        "stage": kept.stage or None,
        "brief": dump(kept.brief),
        "plan": None if kept.plan is None else dump(kept.plan),
        "approval_id": shown.approval_id or None,
        "run_id": kept.run_id or None,
        "version": kept.version,
        "error": shown.error or None,
        "created_at": int(kept.created_at),
        "updated_at": int(kept.updated_at),
    }


def version_body(version: KeptVersion, redact: Redact) -> dict[str, Any]:
    """A ``content.version`` object: the article as data."""
    return {
        "object": "content.version",
        "number": version.number,
        "change": version.change or None,
        "created_at": int(version.created_at),
        "figures": figures(version.article),
        "article": redacted(dump(version.article), redact),
    }


def redacted(value: Any, redact: Redact) -> Any:
    """``value`` with all its texts as they may be shown."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: redacted(each, redact) for name, each in value.items()}
    if isinstance(value, list):
        return [redacted(each, redact) for each in value]
    return value


def hidden(article: Article, redact: Redact) -> Article:
    """``article`` as it may be shown."""
    return read(Article, redacted(dump(article), redact))
