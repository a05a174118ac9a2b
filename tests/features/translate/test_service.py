"""Translation over HTTP: languages, edits, limits, bounds, and who sees what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import tests.world as worlds
from mainspring.features.translate.feature import Translation
from mainspring.features.translate.holdings import TranslationEdits
from mainspring.features.translate.languages import detect
from mainspring.features.translate.settings import TranslateSettings
from mainspring.stores.erase.data_subjects import Given, Held, Subject
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


async def test_a_text_is_translated_and_the_language_is_told(world: worlds.World) -> None:
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
async def test_what_cannot_be_done_is_told(world: worlds.World, body: Any, said: str, param: str) -> None:
    status, found = await ask(world, body)
    assert status in (400, 404), found
    assert said in found["error"]["message"]
    assert found["error"]["param"] == param


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
    page = await service.edits.page(tenant, 10, "", consented=True)
    assert [row.source for row in page.rows] == ["The car True."]
    held = TranslationEdits(world.system.rooms.stores.database, world.system.rooms.stores.blobs)
    subject, of = Subject(tenant, "session", "s"), Held({found["id"]: Given(found["id"], "", 0.0)})
    assert len(await held.find(subject, of, 1e12)) == 2
    # Consent that is withdrawn later holds for the edits, too.
    assert await held.unlearn("another", [found["id"]]) == 0
    assert await held.unlearn(tenant, [found["id"]]) == 1
    assert (await service.edits.page(tenant, 10, "", consented=True)).rows == []
    assert await held.erase(subject, of, 1e12) == 2
    assert (await service.edits.page(tenant, 10, "", consented=False)).rows == []


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
    assert [each["id"] for each in found["data"]] == ["second", "tiny"]
    assert [each["language"] for each in found["languages"]] == ["en", "es", "fr", "ko"]


@pytest.mark.parametrize(
    ("text", "language"),
    [("The weather is nice today.", "en"), ("Il fait beau aujourd'hui.", "fr"), ("Hoy hace buen tiempo.", "es"),
     ("오늘 날씨가 좋아요.", "ko"), ("See https://le.example/la/maison for the rules", "en")],
)  # fmt: skip
def test_languages_are_told(text: str, language: str) -> None:
    found = detect(text, ["en", "es", "fr", "ko"])
    assert (found[0].language, found[0].probability > 0.6) == (language, True)
    assert sum(each.probability for each in found) == pytest.approx(1.0, abs=0.001)


def test_a_text_without_letters_is_in_no_language() -> None:
    assert detect("12 + 5 = 17", ["en", "fr"]) == []
