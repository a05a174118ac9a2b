"""Other languages than English: what is recognised, what is found by words, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mainspring.core.path import collect
from mainspring.core.types import Context
from mainspring.http.openai.encode import chat_body
from mainspring.rag.connect.base import Source
from mainspring.rag.parse.language import UNKNOWN, detect, knows, main_language, strange, unfamiliar
from mainspring.rag.search.selection import SearchOptions
from mainspring.rag.text import terms
from mainspring.stores.vectors.segmentation import segmented
from tests.rag.answer.test_responder import ask
from tests.rag.conftest import Room

TEXTS = {
    "de": "Jeder Mitarbeiter hat dreißig Tage Urlaub im Jahr. Der Urlaub wird mit der Leitung abgestimmt. Hunde sind "
    "in der Werkstatt nicht erlaubt.",
    "fr": "Chaque salarié a droit à trente jours de congés par an. Les chiens ne sont pas admis dans l'atelier. Le "
    "café est gratuit pour tous.",
    "ru": "Каждый сотрудник имеет тридцать дней отпуска в году. Собаки в мастерской не допускаются. Кофе бесплатный "
    "для всех.",
    "zh": "每位员工每年有三十天假期。车间里不允许带狗。咖啡对所有人免费。",
    "ja": "社員には年に三十日の休暇があります。作業場に犬を連れて入ることはできません。コーヒーは無料です。",
    "en": "Every employee has thirty days of holiday a year. Dogs are not allowed in the workshop. Coffee is free.",
}
# What is asked in each language, and the words of the sentence that answers it.
ASKED = {
    "de": ("Wie viele Tage Urlaub hat ein Mitarbeiter?", "dreißig Tage"),
    "fr": ("Combien de jours de congés a un salarié ?", "trente jours"),
    "ru": ("Сколько дней отпуска имеет сотрудник?", "тридцать дней"),
    "zh": ("员工每年有多少天假期？", "三十天假期"),
    "ja": ("社員の休暇は年に何日ありますか。", "三十日の休暇"),
}


@dataclass
class Knowing:
    """Stands for an embedder that knows some languages."""

    languages: tuple[str, ...]
    name: str = "minilm"


@pytest.mark.parametrize(("language", "text"), TEXTS.items())
def test_languages_are_distinguished(language: str, text: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("¿Cuántos días de vacaciones tiene el personal?", "es"),
        ("Quanti giorni di ferie sono previsti per il personale?", "it"),
        ("Hoeveel dagen vakantie heeft een medewerker van het bedrijf?", "nl"),
        ("Quantos dias de férias são dados por ano?", "pt"),
        ("Hur många dagar är semestern och vem får den?", "sv"),
        ("Ile dni urlopu jest w roku i kto może go wziąć?", "pl"),
        ("Скільки днів відпустки є та коли її можна взяти?", "uk"),
        ("휴가는 일 년에 며칠입니까?", "ko"),
        ("كم عدد أيام الإجازة؟", "ar"),
        ("Πόσες μέρες άδεια έχω;", "el"),
        ("कितने दिन की छुट्टी है?", "hi"),
        ("How many days of holiday are there?", "en"),
        ("KG-38 Kestrel", UNKNOWN),
        ("12345 !?", UNKNOWN),
        ("", UNKNOWN),
        ("Burrs", UNKNOWN),
    ],
)
def test_questions_are_distinguished_or_left(text: str, language: str) -> None:
    assert detect(text) == language


def test_english_documents_are_not_taken_for_others() -> None:
    text = "The report by Müller and Peña names El Niño. It was die-cast in a mould, and des moines is in it."
    assert detect(text) == "en"
    assert main_language(["Burrs", TEXTS["de"], TEXTS["de"], TEXTS["en"]]) == "de"


def test_letters_in_the_cells_of_an_english_sheet_are_no_language() -> None:
    sheet = "| Group: A | Grade: O | Mark: E | as: 3 | do: 4 |\n| Group: O | Grade: A | Mark: E | no: 1 | com: 2 |"
    assert main_language([sheet, sheet]) == UNKNOWN
    assert unfamiliar(Knowing(("en",)), "Which grade has group A, O or E?", [sheet]) == ""  # type: ignore[arg-type]


def test_what_is_said_depends_on_the_model() -> None:
    english, many, silent = Knowing(("en",)), Knowing(("*",)), Knowing(())
    assert not knows(english, "de")  # type: ignore[arg-type]
    assert knows(many, "de")  # type: ignore[arg-type]
    assert knows(silent, "de")  # type: ignore[arg-type]
    assert knows(english, UNKNOWN)  # type: ignore[arg-type]
    said = unfamiliar(english, "holiday?", [TEXTS["de"]])  # type: ignore[arg-type]
    assert said.startswith(
        "The documents that were found are in German, which the embedding model minilm does not know"
    )
    assert "multilingual-e5-small" in said
    assert unfamiliar(english, ASKED["fr"][0], [TEXTS["en"]]).startswith("The question is in French")  # type: ignore[arg-type]
    assert unfamiliar(many, ASKED["fr"][0], [TEXTS["de"]]) == ""  # type: ignore[arg-type]
    assert unfamiliar(english, "How many days are there?", [TEXTS["en"]]) == ""  # type: ignore[arg-type]
    assert strange(english, {"de": 3, "en": 2, UNKNOWN: 9}).startswith("Most documents are in German")  # type: ignore[arg-type]
    assert strange(english, {"de": 1, "en": 2}) == ""  # type: ignore[arg-type]
    assert strange(english, {}) == ""  # type: ignore[arg-type]


def test_scripts_without_spaces_are_cut_into_pairs() -> None:
    assert segmented("コーヒー free") == " コー ーヒ ヒー  free"
    assert segmented("犬") == " 犬 "
    assert segmented("café, naïve") == "café, naïve"
    assert terms.words("USBケーブル 犬") == ["usb", "ケー", "ーブ", "ブル", "犬"]
    assert [("車内", 0, 2), ("内", 1, 2)][0] in list(terms.located("車内で"))


@pytest.mark.parametrize("language", ASKED)
@pytest.mark.slow
async def test_words_of_every_script_are_found(room: Room, asker: Context, language: str) -> None:
    sources = [Source(name, f"{name}.txt", text.encode) for name, text in TEXTS.items()]
    await room.ingestor.ingest(room.collection, sources)
    question, expected = ASKED[language]
    hits = await room.retriever.search(room.collection, question, 1, groups=None, options=SearchOptions(mode="sparse"))
    assert [hit.source for hit in hits] == [f"{language}.txt"]
    answered = await collect(await room.answerer().respond(ask(question), asker))
    assert expected in answered.text


@pytest.mark.parametrize("language", ASKED)
async def test_the_default_embedder_finds_them_and_says_so(real_room: Room, asker: Context, language: str) -> None:
    sources = [Source(name, f"{name}.txt", TEXTS[name].encode) for name in (language, "en")]
    report = await real_room.ingestor.ingest(real_room.collection, sources)
    assert report.languages == {language: 1, "en": 1}
    question, expected = ASKED[language]
    answered = await collect(await real_room.answerer().respond(ask(question), asker))
    assert expected in answered.text
    (notice,) = answered.notices
    assert notice.code == "unfamiliar_language"
    assert "all-minilm-l6-v2 does not know" in notice.text
    assert chat_body(answered)["choices"][0]["message"]["notices"][0]["code"] == "unfamiliar_language"


async def test_english_has_no_notice_and_an_ingest_of_others_has(real_room: Room, asker: Context) -> None:
    sources = [Source("en", "en.txt", TEXTS["en"].encode)]
    assert (await real_room.ingestor.ingest(real_room.collection, sources)).notices == []
    found = await collect(await real_room.answerer().respond(ask("How many days of holiday are there?"), asker))
    assert "thirty days" in found.text
    assert found.notices == []
    report = await real_room.ingestor.ingest(real_room.collection, [Source("de", "de.txt", TEXTS["de"].encode)])
    assert len(report.notices) == 1
    assert report.notices[0].startswith("Most documents are in German")
