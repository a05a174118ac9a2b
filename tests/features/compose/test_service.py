"""Compose over the real stores: results, what comes of them, own phrases, and tenants apart."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import Conflict, NoConsent, NotFound, Overloaded, QuotaExceeded, Unsupported
from mainspring.core.facts.opinions import OutcomeFacts
from mainspring.core.fair.lane import LANE
from mainspring.core.settings import Settings
from mainspring.features.compose.holdings import PersonalPhrases
from mainspring.features.compose.store.shown_suggestions import METRIC
from mainspring.features.compose.suggesting import MailDraft
from mainspring.features.compose.tables import compose_shown, compose_texts
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.training.ports import Version, Versions
from tests.features.compose.world import caller, compose, suggest

LIKE = MailDraft("I would like to know ")
OWN = "I would like to return my order today."


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def test_equal_texts_are_answered_from_memory_and_each_answer_has_its_own_id(opened: Stores) -> None:
    made = compose(opened)
    first, second = await suggest(made, caller(), LIKE), await suggest(made, caller(), LIKE)
    assert (first.cached, second.cached) == (False, True)
    assert first.found == second.found
    assert first.id != second.id
    other = await suggest(made, caller(tenant="other"), LIKE)
    assert not other.cached
    await made.close()


async def test_what_came_of_suggestions_makes_the_figures(opened: Stores) -> None:
    made = compose(opened)
    told = [await suggest(made, caller(), LIKE, session=f"mail {number % 2}") for number in range(4)]
    assert all(each.id for each in told)
    nothing = await suggest(made, caller(), MailDraft("I would"))
    assert nothing.id == ""
    principal = caller().principal
    assert (await made.tell(principal, told[0].id, "accepted", None))["saved"] == len("where my order is.") - 1
    assert (await made.tell(principal, told[0].id, "accepted", None))["saved"] == len("where my order is.") - 1
    await made.tell(principal, told[2].id, "accepted", 5)
    await made.tell(principal, told[1].id, "dismissed", None)
    found = await made.shown.figures("acme", time.time() - 60)
    assert (found["shown"], found["accepted"], found["dismissed"], found["typed"]) == (4, 2, 1, 0)
    assert found["characters_saved"] == len("where my order is.") - 1 + 4
    assert found["acceptance"]["value"] == 0.5
    assert found["acceptance"]["low"] < 0.5 < found["acceptance"]["high"]
    assert (found["usage"]["value"], found["usage"]["n"]) == (0.5, 2)
    assert (await made.shown.figures("other", 0.0))["shown"] == 0
    with pytest.raises(Conflict):
        await made.tell(principal, told[0].id, "typed", None)
    with pytest.raises(NotFound):
        await made.tell(caller(tenant="other").principal, told[3].id, "accepted", None)
    with pytest.raises(NotFound):
        await made.tell(caller(key="key_b").principal, told[3].id, "accepted", None)
    events = await opened.events.find("acme", kind=OutcomeFacts.EVENT, limit=10)
    facts = [OutcomeFacts.of(each.facts) for each in events]
    assert sorted((each.metric, each.value) for each in facts) == [(METRIC, 0.0), (METRIC, 1.0), (METRIC, 1.0)]
    await made.close()


async def test_own_phrases_need_consent_and_go_with_it(opened: Stores) -> None:
    made = compose(opened, own_share=0.9)
    asked = MailDraft("I would like to ")
    with pytest.raises(NoConsent):
        await made.learn(caller().principal, "ann", OWN)
    await made.decide(caller().principal, "ann", consent=True)
    for number in range(8):
        assert await made.learn(caller().principal, "ann", f"{number}. {OWN}") == number + 1
    mine = await suggest(made, caller(), asked, user="ann")
    assert mine.personal
    assert mine.found.suggestions[0].text.startswith("return my order")
    for other in (
        await suggest(made, caller(), asked, user="bob"),
        await suggest(made, caller(tenant="other"), asked, user="ann"),
        await suggest(made, caller(key="key_b"), asked, user="ann"),
        await suggest(made, caller(), asked, user="ann", personal=False),
    ):
        assert not other.personal
        assert other.found.suggestions[0].text == "know where my order is."
    await made.decide(caller().principal, "ann", consent=False)
    gone = await suggest(made, caller(), asked, user="ann")
    assert gone.found.suggestions[0].text == "know where my order is."
    assert await made.personal(caller().principal, "ann") == ("refused", 0)
    await made.close()


class Trained:
    """Versions, the newest first."""

    def __init__(self, *found: Version) -> None:
        self.found = found

    async def version(self, tenant: str, label: str) -> Version:
        for each in self.found:
            if each.tenant == tenant and label == each.label:
                return each
        raise NotFound("there is none")

    async def versions(self, tenant: str) -> AsyncIterator[Version]:
        for each in self.found:
            if each.tenant == tenant:
                yield each


async def test_a_version_that_the_tenant_has_trained_is_asked_by_its_name(opened: Stores, tmp_path: Path) -> None:
    packaged = Path(str(files("mainspring.features.compose").joinpath("packaged")))

    def version(number: int, recipe: str = "compose", **more: Any) -> Version:
        folder = tmp_path / f"{recipe}{number}"
        shutil.copytree(packaged, folder / "output")
        return Version("acme", "mails", number, "language-model", cast(Any, None), folder, recipe, "job", **more)

    made = compose(opened, own_share=0.9)
    versions = version(3, withdrawn=True), version(2, groups=frozenset({"legal"})), version(1), version(4, "pretrain")
    made.trained.versions = cast(Versions, Trained(*versions))
    lines = await suggest(made, caller(), LIKE)
    for name in ("mails@1", "mails"):
        found = await suggest(made, caller(), LIKE, named=name)
        assert (found.model, lines.model) == ("mails@1", "lines")
        assert found.found != lines.found
    mine = await suggest(made, caller(groups=frozenset({"legal"})), LIKE, named="mails@2")
    assert mine.model == "mails@2"
    for name, who in (("mails@2", caller()), ("mails@4", caller()), ("no", caller()), ("mails@1", caller("other")),
                      ("mails@3", caller("other"))):  # fmt: skip
        with pytest.raises(NotFound, match="has made no model"):
            await suggest(made, who, LIKE, named=name)
    with pytest.raises(NotFound, match="the model mails@3 was withdrawn"):
        await suggest(made, caller(), LIKE, named="mails@3")
    # Own phrases are read in the tokens of the model that is asked.
    await made.decide(caller().principal, "ann", consent=True)
    for number in range(8):
        await made.learn(caller().principal, "ann", f"{number}. {OWN}")
    for name in ("", "mails@1"):
        personal = await suggest(made, caller(), MailDraft("I would like to "), user="ann", named=name)
        assert personal.personal
        assert personal.found.suggestions[0].text.startswith("return my order"), name
    await made.close()


async def test_texts_are_bounded_and_hold_no_personal_data(opened: Stores) -> None:
    made = compose(opened, own_texts=2)
    await made.decide(caller().principal, "", consent=True)
    for number in range(4):
        await made.learn(caller().principal, "", f"Text {number} to anna@example.com.")
    rows = await opened.database.read(
        lambda connection: (
            connection.execute(sa.select(compose_texts.c.text).order_by(compose_texts.c.at)).scalars().all()
        )
    )
    assert rows == ["Text 2 to [EMAIL].", "Text 3 to [EMAIL]."]
    assert await made.forget(caller().principal, "") == 2
    await made.close()


async def test_erasing_a_person_takes_texts_consent_and_whose_suggestions_were(opened: Stores) -> None:
    made = compose(opened)
    await made.decide(caller().principal, "ann", consent=True)
    await made.learn(caller().principal, "ann", OWN)
    await suggest(made, caller(), LIKE, user="ann", session="s1")
    await suggest(made, caller(), LIKE, user="bob", session="s2")
    await made.shown.flush()
    holdings = PersonalPhrases(opened.database, opened.blobs)
    ann = Subject("acme", "user", "ann")
    found = await holdings.find(ann, SubjectData(), time.time())
    assert sorted(each["type"] for each in found) == ["compose_suggestion", "compose_text"]
    assert await holdings.find(Subject("other", "user", "ann"), SubjectData(), time.time()) == []
    assert len(await holdings.find(Subject("acme", "session", "s2"), SubjectData(), time.time())) == 1
    assert await holdings.erase(ann, SubjectData(), time.time()) == 3
    assert await holdings.find(ann, SubjectData(), time.time()) == []
    assert (await made.shown.figures("acme", 0.0))["shown"] == 2
    assert await made.personal(caller().principal, "ann") == ("", 0)
    assert await holdings.erase(Subject("acme", "tenant", "acme"), SubjectData(), time.time()) == 2
    assert (await made.shown.figures("acme", 0.0))["shown"] == 0
    await made.close()


async def test_old_rows_go_and_those_beyond_the_most_of_a_tenant(opened: Stores) -> None:
    made = compose(opened, most_shown=100, shown_days=1.0)
    for _ in range(103):
        await suggest(made, caller(), LIKE)
    await made.shown.flush()
    await made.shown.tidy(time.time())
    count = sa.select(sa.func.count()).select_from(compose_shown)
    assert await opened.database.read(lambda connection: connection.execute(count).scalar_one()) == 100
    await made.shown.tidy(time.time() + 2 * 86_400)
    assert await opened.database.read(lambda connection: connection.execute(count).scalar_one()) == 0
    await made.close()


async def test_a_tenant_has_so_many_persons(opened: Stores) -> None:
    made = compose(opened, persons=2)
    ours = caller().principal
    for user in ("ann", "bob", "ann"):
        await made.decide(ours, user, consent=True)
    for consent in (True, False):
        with pytest.raises(QuotaExceeded, match="2 persons") as caught:
            await made.decide(ours, "cy", consent=consent)
        assert caught.value.param == "user"
        assert "compose.persons" in str(caught.value.remedy)
    assert await made.personal(ours, "cy") == ("", 0)
    await made.decide(caller(tenant="other").principal, "cy", consent=True)
    await made.decide(ours, "bob", consent=False)
    assert (await made.personal(ours, "bob"))[0] == "refused"
    held = PersonalPhrases(opened.database, opened.blobs)
    await held.erase(Subject("acme", "user", "bob"), SubjectData(), time.time() + 1)
    await made.decide(ours, "cy", consent=True)
    await made.close()


async def test_a_tenant_has_so_many_texts(opened: Stores) -> None:
    made = compose(opened, own_texts=2, tenant_texts=3)
    ours = caller().principal
    for user in ("ann", "bob"):
        await made.decide(ours, user, consent=True)
    assert [await made.learn(ours, "ann", f"I ask {each}.") for each in ("one", "two", "three")] == [1, 2, 2]
    assert await made.learn(ours, "bob", "I ask you.") == 1
    with pytest.raises(QuotaExceeded, match="3 texts") as caught:
        await made.learn(ours, "bob", "I ask again.")
    assert "compose.tenant_texts" in str(caught.value.remedy)
    assert (await made.personal(ours, "bob"))[1] == 1
    # What takes the place of another goes on.
    assert await made.learn(ours, "bob", "I ask you.") == 1
    assert await made.learn(ours, "ann", "I ask four.") == 2
    assert await made.forget(ours, "ann") == 2
    assert await made.learn(ours, "bob", "I ask again.") == 2
    await made.close()


async def test_too_many_that_wait_are_refused(opened: Stores) -> None:
    made = compose(opened, most_waiting=1, cached=0)
    asked = [suggest(made, caller(), MailDraft(f"I would like {'to ' * number}")) for number in range(4)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert any(isinstance(each, Overloaded) for each in found)
    assert any(not isinstance(each, BaseException) for each in found)
    await made.close()


async def test_what_waits_of_one_tenant_refuses_no_other(opened: Stores) -> None:
    made = compose(opened, most_waiting=2, cached=0)
    assert (await suggest(made, caller(), MailDraft("I would like to "))).found

    async def ask(tenant: str, number: int) -> object:
        LANE.set(tenant)
        return await suggest(made, caller(tenant=tenant), MailDraft(f"I would like {'to ' * number}"))

    loud = [asyncio.create_task(ask("loud", number)) for number in range(8)]
    quiet = asyncio.create_task(ask("quiet", 9))
    assert not isinstance(await quiet, BaseException)
    found = await asyncio.gather(*loud, return_exceptions=True)
    assert any(isinstance(each, Overloaded) for each in found)
    await made.close()


async def test_it_can_be_switched_off(opened: Stores) -> None:
    made = compose(opened, enabled=False)
    with pytest.raises(Unsupported, match=r"compose\.enabled|off"):
        await suggest(made, caller(), LIKE)
    await made.close()


async def test_names_in_own_texts_may_be_suggested_to_who_wrote_them(opened: Stores) -> None:
    made = compose(opened, own_share=0.9)
    asked = MailDraft("My colleague is here. My colleague ")
    assert (await suggest(made, caller(), asked)).id == ""
    await made.decide(caller().principal, "", consent=True)
    await made.learn(caller().principal, "", "I asked Bartholomew to do it.")
    assert (await suggest(made, caller(), asked)).found.suggestions[0].text.startswith("Bartholomew")
    await made.close()
