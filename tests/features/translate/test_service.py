"""Translation over HTTP: languages, edits, limits, bounds, and who sees what."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

import tests.world as worlds
from mainspring.core.errors import NotFound
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.core.types import Principal
from mainspring.features.translate import assistant
from mainspring.features.translate.engine import card
from mainspring.features.translate.engine.trained import TrainedTranslators
from mainspring.features.translate.engine.translators import Translators
from mainspring.features.translate.feature import Translation
from mainspring.features.translate.holdings import TranslationEdits
from mainspring.features.translate.languages import _identifier as languages_of
from mainspring.features.translate.languages import detect
from mainspring.features.translate.settings import TranslateSettings
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from mainspring.training.ports import Version, Versions
from tests.features.translate.tiny import translator

pytest.importorskip("py3langid")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("translators")
    translator(place / "tiny")
    translator(place / "second", seed=1, pairs=("en-fr",))
    return place


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, worlds.echoing("echo"))


@pytest.fixture
async def world(tmp_path: Path, folder: Path) -> AsyncIterator[worlds.World]:
    own = TranslateSettings(folder=str(folder), max_characters=500, max_terms=2)
    async with worlds.opened(tmp_path / "home", translate=own) as opened:
        yield opened


async def ask(world: worlds.World, body: Any, key: str = "red", path: str = "/v1/translate") -> Any:
    answer = await world.call(world.keys[key], "POST", path, body)
    return answer.status_code, answer.json()


async def test_a_text_is_translated_and_the_language_is_reported(world: worlds.World) -> None:
    status, found = await ask(world, {"text": "Where is the station? It is 4 km away.", "target": "fr"})
    assert status == 200, found
    assert (found["source"], found["target"], found["needs_source"], found["model"]) == ("en", "fr", False, "second")
    assert "4" in found["text"]
    assert found["usage"]["characters"] == 38
    assert found["usage"]["prompt_tokens"] > 0
    assert found["id"].startswith("ans_")
    _, again = await ask(world, {"text": "Where is the station? It is 4 km away.", "target": "fr"})
    assert (again["text"], again["sentences"]["remembered"]) == (found["text"], 2)


async def test_an_uncertain_language_is_asked_for(world: worlds.World) -> None:
    status, found = await ask(world, {"text": "OK 12", "target": "fr"})
    assert (status, found["needs_source"], found["text"]) == (200, True, None)
    assert {each["language"] for each in found["detected"]} <= {"en", "es", "fr", "ko"}
    status, found = await ask(world, {"text": "OK 12", "target": "fr", "source": "en"})
    assert (status, found["needs_source"]) == (200, False)


GERMAN = "Wo ist bitte der Bahnhof? Ich habe mich in der Stadt verlaufen."


@pytest.mark.parametrize(
    ("text", "language"),
    [(GERMAN, "de"), ("Gdzie jest dworzec kolejowy w tym mieście?", "pl"), ("駅はどこですか。道に迷いました。", "ja")],
)
def test_a_language_that_is_not_translated_is_noticed(text: str, language: str) -> None:
    assert detect(text, ("en", "es", "fr", "ko"))[0].language == language


async def test_a_text_in_another_language_is_refused_by_its_name(world: worlds.World) -> None:
    status, found = await ask(world, {"text": GERMAN, "target": "fr"})
    assert status == 400
    assert "nothing translates German to French" in found["error"]["message"]
    _, told = await ask(world, {"text": GERMAN}, path="/v1/translate/detect")
    assert (told["source"], told["detected"][0]["name"]) == ("de", "German")


async def test_texts_come_back_in_their_order_and_number(world: worlds.World) -> None:
    texts = ["The house is red.", "", "17", 'He said "no".\nAnd left.']
    status, found = await ask(world, {"texts": texts, "target": "ko", "source": "en"})
    assert status == 200, found
    assert found["text"] is None
    assert len(found["texts"]) == 4
    assert found["texts"][1:3] == ["", "17"]
    assert "\n" in found["texts"][3]


async def test_a_document_keeps_its_layout(world: worlds.World) -> None:
    document = "# The house\n\n```\nkeep\n```\n"
    _, found = await ask(world, {"document": document, "format": "markdown", "target": "es", "source": "en"})
    assert found["text"].startswith("# ")
    assert found["text"].endswith("\n\n```\nkeep\n```\n")


@pytest.mark.parametrize(
    ("body", "said", "param"),
    [
        ({"target": "fr"}, "one of text, texts and document", "text"),
        ({"text": "a", "texts": ["b"], "target": "fr"}, "one of text", "texts"),
        ({"text": "a", "format": "html", "target": "fr"}, "has no format", "format"),
        ({"document": "{", "format": "json", "target": "fr", "source": "en"}, "not JSON", "format"),
        ({"text": "The house", "target": "de", "source": "en"}, "nothing translates English to German", "target"),
        ({"text": "The house", "target": "fr", "source": "en", "model": "tinny"}, "no translator 'tinny'", "model"),
        ({"text": "La casa", "target": "fr", "source": "es", "model": "second"}, "second does not translate", "target"),
        ({"text": "x " * 300, "target": "fr", "source": "en"}, "has 600 characters", "text"),
        ({"text": "a", "target": "fr", "source": "en", "glossary": dict.fromkeys("abc", "b")}, "terms", "glossary"),
        ({"text": "a", "target": "french"}, "", "target"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_reported(world: worlds.World, body: Any, said: str, param: str) -> None:
    status, found = await ask(world, body)
    assert status in (400, 404), found
    assert said in found["error"]["message"]
    assert found["error"]["param"] == param


async def test_what_is_too_long_is_refused_before_its_language_is_looked_for(
    world: worlds.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(assistant, "detect", never)
    for body in ({"texts": ["word " * 20] * 10}, {"text": "word " * 200}, {"document": "word " * 200}):
        status, found = await ask(world, {**body, "target": "fr"})
        assert (status, found["error"]["param"]) == (400, next(iter(body))), found


async def test_an_unknown_pair_names_those_that_there_are(world: worlds.World) -> None:
    _, found = await ask(world, {"text": "The house", "target": "de", "source": "en"})
    assert "en-fr" in found["error"]["message"]


async def test_an_edit_is_feedback_and_holds_for_its_author_alone(world: worlds.World) -> None:
    asked = {"text": "The house is red.", "target": "fr", "source": "en"}
    _, found = await ask(world, asked)
    edit = {
        "source": "The house is red.", "translation": found["text"], "edit": "La maison est rouge.",
        "source_language": "en", "target_language": "fr", "consent": True,
    }  # fmt: skip
    status, made = await ask(world, edit, path=f"/v1/translate/{found['id']}/edit")
    assert status == 201, made
    _, again = await ask(world, asked)
    assert (again["text"], again["sentences"]["edited"]) == ("La maison est rouge.", 1)
    feedback = await world.system.rooms.stores.events.find(world.keys["red"].tenant, kind="feedback")
    assert [(each.id, each.content, each.consent) for each in feedback] == [
        (made["feedback"], "La maison est rouge.", True)
    ]
    others = [key for key in world.keys if world.keys[key].tenant == world.keys["red"].tenant and key != "red"]
    _, unlike = await ask(world, asked, others[0])
    assert unlike["sentences"]["edited"] == 0
    status, _ = await ask(world, edit, path="/v1/translate/ans_unknown/edit")
    assert status == 404


async def test_feedback_of_one_sentence_has_the_whole_answer_with_it(world: worlds.World) -> None:
    _, first = await ask(world, {"text": "The house is red.", "target": "fr", "source": "en"})
    _, found = await ask(world, {"text": "The house is red. We stay.", "target": "fr", "source": "en"})
    assert found["text"].count(first["text"]) == 1
    edit = {"source": "The house is red.", "edit": "Rouge.", "source_language": "en", "target_language": "fr"}
    for translation in (first["text"], "is nowhere", ""):
        status, made = await ask(world, {**edit, "translation": translation}, path=f"/v1/translate/{found['id']}/edit")
        assert status == 201, made
    feedback = await world.system.rooms.stores.events.find(world.keys["red"].tenant, kind="feedback")
    # What nobody can put into its place is no answer to learn from.
    assert [each.content for each in feedback] == [found["text"].replace(first["text"], "Rouge."), None, None]


async def test_an_edit_of_several_sentences_is_used_as_one(world: worlds.World) -> None:
    async def edit(source: str, better: str) -> None:
        _, found = await ask(world, {"text": source, "target": "fr", "source": "en"})
        body = {"source": source, "edit": better, "source_language": "en", "target_language": "fr"}
        status, made = await ask(world, body, path=f"/v1/translate/{found['id']}/edit")
        assert status == 201, made

    async def said(document: str, kind: str = "text") -> tuple[str, dict[str, int]]:
        asked = {"document": document, "format": kind, "target": "fr", "source": "en"}
        _, found = await ask(world, asked)
        return found["text"], found["sentences"]

    lines = "The house is red.\nIt is old. We stay."
    await edit(lines, "La maison est rouge,\nvieille, et nous restons.")
    text, counted = await said(f"{lines}\n")
    assert text == "La maison est rouge,\nvieille, et nous restons.\n"
    assert (counted["sentences"], counted["edited"]) == (3, 3)
    # In a longer document the same paragraph is an edit's, and the rest is translated.
    await edit("It is  old. We stay.", "Elle est vieille ; nous restons.")
    text, counted = await said("# We go.\n\nIt is old. We stay.\n", "markdown")
    assert text.endswith("\n\nElle est vieille ; nous restons.\n")
    assert (counted["sentences"], counted["edited"]) == (3, 2)


async def test_edits_with_consent_are_pairs_to_learn_from_and_are_erased(world: worlds.World) -> None:
    service = world.system.services[Translation]
    _, found = await ask(world, {"text": "The car is red.", "target": "fr", "source": "en"})
    base = {"source_language": "en", "target_language": "fr", "edit": "La voiture est rouge."}
    for consent in (True, False):
        await ask(
            world,
            {**base, "source": f"The car {consent}.", "consent": consent},
            path=f"/v1/translate/{found['id']}/edit",
        )
    tenant = world.keys["red"].tenant
    page = await service.edits.page(Principal(tenant, "root"), 10, "", consented=True)
    assert [row.source for row in page.rows] == ["The car True."]
    held = TranslationEdits(world.system.rooms.stores.database, world.system.rooms.stores.blobs)
    subject, of = Subject(tenant, "session", "s"), SubjectData({found["id"]: SubjectAnswer(found["id"], "", 0.0)})
    assert len(await held.find(subject, of, 1e12)) == 2
    # Consent that is withdrawn later holds for the edits, too.
    assert await held.unlearn("another", [found["id"]]) == 0
    assert await held.unlearn(tenant, [found["id"]]) == 1
    assert (await service.edits.page(Principal(tenant, "root"), 10, "", consented=True)).rows == []
    assert await held.erase(subject, of, 1e12) == 2
    assert (await service.edits.page(Principal(tenant, "root"), 10, "", consented=False)).rows == []


async def test_edits_are_found_by_whose_they_are_when_the_answer_is_gone(world: worlds.World) -> None:
    edits = world.system.services[Translation].edits
    database = world.system.rooms.stores.database
    key = world.keys["red"]
    _, found = await ask(world, {"text": "The car is red.", "target": "fr", "source": "en", "user": "ann"})
    edit = {"source_language": "en", "target_language": "fr", "source": "The car is red.", "edit": "Rouge."}
    await ask(world, edit, path=f"/v1/translate/{found['id']}/edit")
    held = TranslationEdits(database, world.system.rooms.stores.blobs)
    nothing = SubjectData()
    rows = (await edits.page(Principal(key.tenant, "root"), 10, "", consented=False)).rows
    by_user, by_key = Subject(key.tenant, "user", "ann"), Subject(key.tenant, "key", rows[0].owner)
    others = (Subject(key.tenant, "user", "bob"), Subject(key.tenant, "user", ""), Subject("other", "user", "ann"))
    for subject in (*others, Subject(key.tenant, "key", "key_other")):
        assert await held.find(subject, nothing, 1e12) == []
    assert [each["edit"] for each in await held.find(by_key, nothing, 1e12)] == ["Rouge."]
    assert await held.erase(by_user, nothing, 1e12) == 1
    assert await held.find(by_key, nothing, 1e12) == []
    assert (await edits.page(Principal(key.tenant, "root"), 10, "", consented=False)).rows == []


async def test_an_edit_of_a_group_s_answer_is_shown_to_the_group_alone(world: worlds.World) -> None:
    red, stores = world.keys["red"], world.system.stores
    doc = await world.add(red, await world.store(red, "papers", frozenset({"red"})), frozenset({"red"}))
    answer = (await world.chat(red, doc)).headers["x-answer-id"]
    edit = {"source_language": "en", "target_language": "fr", "source": doc.mark, "edit": "Le secret.", "consent": True}
    status, made = await ask(world, edit, path=f"/v1/translate/{answer}/edit")
    assert status == 201, made
    for groups, seen in ((frozenset({"red"}), True), (frozenset[str](), False)):
        _, secret = await stores.keys.create("a", tenant="default", scopes=frozenset({"admin"}), groups=groups)
        found = await world.call(worlds.Key("a", "default", groups, secret), "GET", "/v1/translate/edits")
        assert [each["target"] for each in found.json()["data"]] == (["Le secret."] if seen else [])


async def test_edits_are_kept_for_so_many_days(world: worlds.World) -> None:
    edits = world.system.services[Translation].edits
    tenant = world.keys["red"].tenant
    _, found = await ask(world, {"text": "The car is red.", "target": "fr", "source": "en"})
    edit = {"source_language": "en", "target_language": "fr", "source": "The car is red.", "edit": "Rouge."}
    await ask(world, edit, path=f"/v1/translate/{found['id']}/edit")
    assert await edits.tidy(time.time() + 364 * 86_400) == 0
    assert len((await edits.page(Principal(tenant, "root"), 10, "", consented=False)).rows) == 1
    assert await edits.tidy(time.time() + 366 * 86_400) == 1


class Trained:
    """Versions, the newest first."""

    def __init__(self, *found: Version) -> None:
        self.found = found

    async def version(self, tenant: str, label: str) -> Version:
        for each in self.found:
            if each.tenant == tenant and label in (each.label, each.name):
                return each
        raise NotFound("there is none")

    async def versions(self, tenant: str) -> AsyncIterator[Version]:
        for each in self.found:
            if each.tenant == tenant:
                yield each


async def test_a_trained_translator_is_there_for_its_groups_until_it_is_withdrawn(tmp_path: Path) -> None:
    def made(number: int, **more: Any) -> Version:
        translator(tmp_path / str(number) / "translator", pairs=("en-fr",))
        told = cast(Any, None)
        return Version("acme", "mine", number, "translator", told, tmp_path / str(number), "translate", "job", **more)

    translators = Translators(Settings(home=tmp_path), TranslateSettings())
    versions = (
        made(4, withdrawn=True),
        made(3, groups=frozenset({"legal", "board"})),
        made(2, groups=frozenset({"legal"})),
    )
    translators.trained.versions = cast(Versions, Trained(*versions, made(1)))

    async def asked(name: str, *groups: str, tenant: str = "acme") -> str:
        who = Principal(tenant, "key", groups=frozenset(groups))
        try:
            found = await translators.of(who, name, "en", "fr")
        except NotFound:
            return ""
        assert found is not None
        label, translator = found
        assert label == f"mine@{translator.folder.parent.name}"
        return translator.folder.parent.name

    assert [await asked("mine@3"), await asked("mine@3", "legal")] == ["", ""]
    assert await asked("mine@3", "legal", "board") == "3"
    assert [await asked("mine@4", "legal", "board"), await asked("mine@1")] == ["", "1"]
    assert [await asked("mine"), await asked("mine", "legal"), await asked("mine", "legal", "board")] == ["1", "2", "3"]
    assert await asked("mine@1", tenant="other") == ""
    # Without a name the newest that the caller sees translates, where no folder's knows the pair.
    assert [await asked(""), await asked("", "legal"), await asked("", "legal", "board")] == ["1", "2", "3"]
    assert await translators.of(Principal("other", "key"), "", "en", "fr") is None
    seen = await translators.visible(Principal("acme", "key", groups=frozenset({"legal"})))
    assert {label: card.pairs for label, card in seen.items()} == {"mine@2": ("en-fr",)}
    translators.close()


async def test_a_candidate_translates_by_its_label_alone_and_what_was_withdrawn_says_why(tmp_path: Path) -> None:
    def made(number: int, **more: Any) -> Version:
        translator(tmp_path / str(number) / "translator", pairs=("en-fr",))
        told = cast(Any, None)
        return Version("acme", "mine", number, "translator", told, tmp_path / str(number), "translate", "job", **more)

    translators = Translators(Settings(home=tmp_path), TranslateSettings())
    versions = made(3, candidate=True), made(2), made(1, withdrawn=True, stale="rows were erased")
    translators.trained.versions = cast(Versions, Trained(*versions))
    who = Principal("acme", "key")
    assert list(await translators.visible(who)) == ["mine@2"]
    for name, label in (("", "mine@2"), ("mine", "mine@2"), ("mine@3", "mine@3")):
        found = await translators.of(who, name, "en", "fr")
        assert found is not None
        assert found[0] == label
    chosen = await translators.of(who, "", "en", "fr", preferred="mine@3")
    assert chosen is not None
    assert chosen[0] == "mine@3"
    with pytest.raises(NotFound, match="the translator mine@1 was withdrawn: rows were erased"):
        await translators.of(who, "mine@1", "en", "fr")
    with pytest.raises(NotFound, match="no translator 'mine@1'"):
        await translators.of(Principal("other", "key"), "mine@1", "en", "fr")
    translators.close()


async def test_what_was_made_of_erased_rows_translates_only_by_its_name(tmp_path: Path) -> None:
    translator(tmp_path / "1" / "translator", pairs=("en-fr",))
    told = cast(Any, None)
    stale = Version("acme", "mine", 1, "translator", told, tmp_path / "1", "translate", "job", stale="erased")
    translators = Translators(Settings(home=tmp_path), TranslateSettings())
    translators.trained.versions = cast(Versions, Trained(stale))
    who = Principal("acme", "key")
    assert await translators.visible(who) == {}
    assert await translators.of(who, "", "en", "fr") is None
    named = await translators.of(who, "mine@1", "en", "fr")
    assert named is not None
    assert named[0] == "mine@1"
    translators.close()


async def test_a_translator_that_a_tenant_trained_is_listed_and_translates_for_it(tmp_path: Path) -> None:
    translator(tmp_path / "version" / "translator", pairs=("en-fr", "fr-en"))
    async with worlds.opened(tmp_path / "home", translate=TranslateSettings(packaged=False)) as world:
        _, before = await ask(world, {"text": "The house is red.", "target": "fr", "source": "en"})
        assert "There is no translator" in before["error"]["message"]
        key = world.keys["red"]
        made = Version(key.tenant, "mine", 1, "translator", cast(Any, None), tmp_path / "version", "translate", "job")
        trained = world.system.services[Translation].translators.trained = TrainedTranslators()
        trained.versions = cast(Versions, Trained(made))
        listed = (await world.call(key, "GET", "/v1/translate/languages")).json()
        assert [(each["id"], each["pairs"]) for each in listed["data"]] == [("mine@1", ["en-fr", "fr-en"])]
        assert [each["language"] for each in listed["languages"]] == ["en", "fr"]
        status, found = await ask(world, {"text": "La maison est rouge, et la gare est là.", "target": "en"})
        assert status == 200, found
        assert (found["source"], found["model"]) == ("fr", "mine@1")


async def test_a_fresh_server_says_that_nothing_translates_before_it_asks_for_a_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What tells languages apart is not even there.
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    languages_of.cache_clear()
    async with worlds.opened(tmp_path / "home", translate=TranslateSettings(packaged=False)) as world:
        for text in ("OK", "The house is red."):
            status, found = await ask(world, {"text": text, "target": "fr"})
            assert (status, found["error"]["param"]) == (400, "model")
            assert "nothing translates here" in found["error"]["message"]
            for way in ("translate convert", "recipe translate", "translate.chat"):
                assert way in found["error"]["message"]
        named = {"model": "translate", "messages": [{"role": "user", "content": "OK"}], "options": {"target": "fr"}}
        status, found = await ask(world, named, path="/v1/chat/completions")
        assert (status, found["error"]["param"]) == (400, "model")
        status, found = await ask(world, {"text": "The house is red.", "target": "fr", "source": "en", "model": "echo"})
        assert (status, found["model"]) == (200, "echo")
    languages_of.cache_clear()
    async with worlds.opened(tmp_path / "home", translate=TranslateSettings(chat="ekko", packaged=False)) as world:
        _, found = await ask(world, {"text": "The house is red.", "target": "fr"})
        assert "translate.chat names ekko, which is not served" in found["error"]["message"]


async def test_the_chat_model_of_the_settings_is_listed_and_translates(tmp_path: Path) -> None:
    async with worlds.opened(tmp_path / "home", translate=TranslateSettings(chat="echo", packaged=False)) as world:
        listed = (await world.call(world.keys["red"], "GET", "/v1/translate/languages")).json()
        assert [(each["id"], each["family"], len(each["pairs"])) for each in listed["data"]] == [("echo", "chat", 12)]
        assert [each["language"] for each in listed["languages"]] == ["en", "es", "fr", "ko"]
        status, found = await ask(world, {"text": "The house is red.", "target": "fr"})
        assert status == 200, found
        assert (found["source"], found["model"]) == ("en", "echo")


async def test_the_larger_model_translates_what_no_translator_knows(tmp_path: Path) -> None:
    models = ModelsSettings(larger="echo")
    async with worlds.opened(tmp_path / "home", models=models, translate=TranslateSettings(packaged=False)) as world:
        listed = (await world.call(world.keys["red"], "GET", "/v1/translate/languages")).json()
        assert [each["id"] for each in listed["data"]] == ["echo"]
        status, found = await ask(world, {"text": "The house is red.", "target": "fr"})
        assert (status, found.get("model")) == (200, "echo")
        status, found = await ask(world, {"text": "The house is red.", "source": "en", "target": "de"})
        assert (status, found["error"]["param"]) == (400, "target")
    async with worlds.opened(
        tmp_path / "other", models=models, translate=TranslateSettings(chat="", packaged=False)
    ) as world:
        status, found = await ask(world, {"text": "The house is red.", "target": "fr"})
        assert "There is no translator" in found["error"]["message"]


async def test_a_fresh_server_translates_by_what_the_package_brings(tmp_path: Path) -> None:
    async with worlds.opened(tmp_path / "home", translate=TranslateSettings()) as world:
        listed = (await world.call(world.keys["red"], "GET", "/v1/translate/languages")).json()
        assert [each["id"] for each in listed["data"]] == ["everyday"]
        assert [each["language"] for each in listed["languages"]] == ["en", "es", "fr"]
        for body, word in (
            ({"text": "The house is red.", "target": "fr"}, "maison"),
            ({"text": "The house is red.", "target": "es"}, "casa"),
            ({"text": "La maison est rouge.", "target": "en"}, "house"),
            ({"text": "La casa es roja.", "target": "en"}, "house"),
        ):
            status, found = await ask(world, body)
            assert (status, found.get("model")) == (200, "everyday"), found
            assert word in found["text"]
        status, found = await ask(world, {"text": "The house is red.", "target": "ko", "source": "en"})
        assert (status, found["error"]["param"]) == (400, "target")


async def test_without_what_runs_it_the_translator_of_the_package_is_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.features.translate.engine.translators.find_spec", lambda _: None)
    async with worlds.opened(tmp_path / "home", translate=TranslateSettings()) as world:
        assert (await world.call(world.keys["red"], "GET", "/v1/translate/languages")).json()["data"] == []
        status, found = await ask(world, {"text": "The house is red.", "target": "fr"})
        assert (status, found["error"]["param"]) == (400, "model")
        assert "pip install 'mainspring[translate]'" in found["error"]["message"]


async def test_the_larger_model_comes_before_the_package(tmp_path: Path) -> None:
    models = ModelsSettings(larger="echo")
    async with worlds.opened(tmp_path / "home", models=models, translate=TranslateSettings()) as world:
        text = {"text": "The house is red.", "target": "fr"}
        assert (await ask(world, text))[1]["model"] == "echo"
        # Whoever is in a hurry names it.
        assert (await ask(world, {**text, "model": "everyday"}))[1]["model"] == "everyday"


async def test_sentences_that_the_translator_doubts_are_counted_again_where_they_are_remembered(tmp_path: Path) -> None:
    translator(tmp_path / "home-made" / "sure")
    told = card.read(tmp_path / "home-made" / "sure")
    text = {"text": "The house is red. We go to the station.", "target": "fr", "source": "en"}
    for doubtful, wanted in ((-1e3, 0), (0.0, 2), (None, 0)):
        replace(told, doubtful=doubtful).write(tmp_path / "home-made" / "sure")
        own = TranslateSettings(folder=str(tmp_path / "home-made"))
        async with worlds.opened(tmp_path / f"home{doubtful}", translate=own) as world:
            first, again = (await ask(world, text))[1], (await ask(world, text))[1]
            assert first["sentences"]["doubtful"] == again["sentences"]["doubtful"] == wanted
            assert again["sentences"]["remembered"] == 2


async def test_the_model_answers_in_a_chat(world: worlds.World) -> None:
    body = {
        "model": "translate", "messages": [{"role": "user", "content": "The house is red."}],
        "options": {"target": "fr", "source": "en"},
    }  # fmt: skip
    status, found = await ask(world, body, path="/v1/chat/completions")
    assert status == 200, found
    assert found["choices"][0]["message"]["content"]


async def test_translators_and_their_pairs_are_listed(world: worlds.World) -> None:
    found = (await world.call(world.keys["red"], "GET", "/v1/translate/languages")).json()
    assert [each["id"] for each in found["data"]] == ["second", "tiny", "everyday"]
    assert [each["language"] for each in found["languages"]] == ["en", "es", "fr", "ko"]


@pytest.mark.parametrize(
    ("text", "language"),
    [("The weather is nice today.", "en"), ("Il fait beau aujourd'hui.", "fr"), ("Hoy hace buen tiempo.", "es"),
     ("오늘 날씨가 좋아요.", "ko"), ("See https://le.example/la/maison for the rules", "en")],
)  # fmt: skip
def test_languages_are_reported(text: str, language: str) -> None:
    found = detect(text, ["en", "es", "fr", "ko"])
    assert (found[0].language, found[0].probability > 0.6) == (language, True)
    assert sum(each.probability for each in found) == pytest.approx(1.0, abs=0.001)


def test_a_text_without_letters_is_in_no_language() -> None:
    assert detect("12 + 5 = 17", ["en", "fr"]) == []
