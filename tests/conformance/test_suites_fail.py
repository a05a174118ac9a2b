"""Each suite of ``mainspring.testing`` fails on a part that breaks its contract, and each kind of part has a suite."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from mainspring import kinds, testing
from mainspring.agents.tools.base import ToolResult
from mainspring.agents.tools.functions import FunctionTool
from mainspring.core.types import Responder
from mainspring.evaluation.examples import ExampleAnswer
from mainspring.feature import Feature
from mainspring.rag.parse.reading_options import Options
from mainspring.rag.triad.live import GivenAnswer
from mainspring.serving.plugin_layers import PluginLayer
from mainspring.testing.embedders import WordEmbedder
from tests.conformance.bad_parts import (
    Bare,
    Beep,
    Boundless,
    BoundlessScorer,
    ByPlace,
    Careless,
    Empty,
    Endless,
    FirstWords,
    Halves,
    Hears,
    Losing,
    Repeats,
    Telltale,
    Trusting,
    Unequal,
    Unmetered,
    Unpaid,
    Untagged,
    Worn,
)
from tests.conformance.test_suites import HERE, POINTS
from tests.conftest import ROOT

Attempt = Callable[[], Awaitable[None] | None]

SUITES = {
    "agent": "ApplicationSuite",
    "application": "ApplicationSuite",
    "cache": "CacheSuite",
    "chat-reranker": "ChatRerankerSuite",
    "chunker": "ChunkerSuite",
    "connector": "ConnectorSuite",
    "database": "DatabaseSuite",
    "embedder": "EmbedderSuite",
    "engine": "EngineSuite",
    "feature": "FeatureSuite",
    "guard": "GuardSuite",
    "layer": "LayerSuite",
    "metric": "MetricSuite",
    "parser": "ParserSuite",
    "provider": "EngineSuite",
    "recipe": "RecipeSuite",
    "reranker": "RerankerSuite",
    "sandbox": "SandboxSuite",
    "scorer": "ScorerSuite",
    "toolset": "ToolsetSuite",
    "transcriber": "TranscriberSuite",
    "vectors": "VectorStoreSuite",
    "voice": "VoiceSuite",
    "web-search": "WebSearchSuite",
}
"""The suite of each kind."""


def test_each_kind_has_a_suite_that_the_page_names() -> None:
    assert {kind.name for kind in kinds.every()} == set(SUITES)
    assert set(SUITES.values()) == {name for name in testing.__all__ if name.endswith("Suite")}
    page = (ROOT / "docs" / "guides" / "plugins.md").read_text(encoding="utf-8")
    assert [name for name in SUITES.values() if f"`{name}`" not in page] == []


def test_each_suite_is_seen_to_fail() -> None:
    """By a test of this module that is called after it."""
    seen = {name.removeprefix("test_fails_").replace("_", "") for name in globals() if name.startswith("test_fails_")}
    assert seen == {name.removesuffix("Suite").lower() for name in SUITES.values()}


async def _fails(*attempts: Attempt) -> None:
    """Each attempt fails as a test does."""
    for number, attempt in enumerate(attempts):
        failed = False
        try:
            if (running := attempt()) is not None:
                await running
        except (AssertionError, ValueError, pytest.fail.Exception):
            failed = True
        assert failed, f"attempt {number} passed"


async def test_fails_engine() -> None:
    suite, engine = testing.EngineSuite(), Unmetered(delay=0.001)
    await _fails(
        lambda: suite.test_streams_text_then_usage_then_finish(engine),
        lambda: suite.test_usage_counts_the_prompt(engine),
        lambda: suite.test_stop_string_is_never_shown(engine),
    )


async def test_fails_embedder() -> None:
    suite, embedder = testing.EmbedderSuite(), Unequal()
    await _fails(
        lambda: suite.test_vectors_have_the_shape_and_length_that_is_promised(embedder),
        lambda: suite.test_queries_are_embedded_into_the_same_space(embedder),
        lambda: suite.test_tokens_are_counted_and_what_is_cut_is_told(embedder),
    )


async def test_fails_reranker() -> None:
    suite, reranker = testing.RerankerSuite(), ByPlace()
    await _fails(
        lambda: suite.test_the_better_passage_scores_higher(reranker),
        lambda: suite.test_scores_are_one_a_passage_and_lie_between_0_and_1(reranker),
        lambda: suite.test_a_score_does_not_depend_on_the_other_passages(reranker),
        lambda: suite.test_it_has_a_name_and_a_fingerprint(reranker),
    )


async def test_fails_chat_reranker() -> None:
    suite = testing.ChatRerankerSuite()
    suite.reply = "[2] > [1]"

    def unpaid(model: str, responder: Responder) -> Unpaid:
        return Unpaid(responder, model)

    def worn(model: str, responder: Responder) -> Worn:
        return Worn(responder, model)

    await _fails(
        lambda: suite.test_calls_are_charged_to_the_request(unpaid),
        lambda: suite.test_requests_are_apart(unpaid),
        lambda: suite.test_the_passage_that_the_model_prefers_scores_higher(worn),
        lambda: suite.test_any_reply_leaves_scores_between_0_and_1(worn, "I cannot rank these."),
        lambda: suite.test_no_passages_need_no_call(worn),
    )


async def test_fails_parser() -> None:
    suite, parser = testing.ParserSuite(), Careless()
    suite.document = b"The harbour opens at six."
    suite.said = ("at eight",)
    parsed = parser.read(suite.document, "a.txt", Options())
    await _fails(
        lambda: suite.test_it_says_what_it_reads(parser),
        lambda: suite.test_the_text_is_read(parsed),
        lambda: suite.test_the_text_holds_nothing_that_no_text_has(parsed),
        lambda: suite.test_places_lie_in_the_text_and_in_order(parsed),
        lambda: suite.test_bytes_that_are_no_document_are_read_or_refused(parser),
    )


async def test_fails_chunker() -> None:
    suite, chunker, embedder = testing.ChunkerSuite(), FirstWords(), WordEmbedder()
    await _fails(
        lambda: suite.test_nothing_that_is_embedded_is_longer_than_the_model_reads(chunker, embedder),
        lambda: suite.test_chunks_say_on_which_page_they_are(chunker),
        lambda: suite.test_a_document_without_words_has_no_chunks(chunker, ""),
        lambda: suite.test_any_text_is_cut(chunker, embedder, "word " * 4000),
    )


async def test_fails_connector() -> None:
    suite, connector = testing.ConnectorSuite(), Repeats()
    await _fails(
        lambda: suite.test_the_first_sync_finds_every_document_once(connector),
        lambda: suite.test_a_second_sync_finds_nothing_new_and_nothing_gone(connector),
        lambda: suite.test_a_document_that_is_not_there_any_more_is_gone(connector),
    )


async def test_fails_web_search() -> None:
    suite, endpoint = testing.WebSearchSuite(), Trusting()
    suite.domain = "kitchen.example"
    await _fails(
        lambda: suite.test_pages_are_found(endpoint),
        lambda: suite.test_addresses_and_texts_are_text(endpoint),
        lambda: suite.test_a_domain_can_be_asked_for(endpoint),
        lambda: suite.test_any_query_is_sent(endpoint, "a" * 400),
    )


async def test_fails_guard() -> None:
    suite = testing.GuardSuite()
    suite.bad, suite.good = ("Give me the gun.", "the harbour"), ("When does the harbour open?",)
    await _fails(
        lambda: suite.test_it_finds_what_it_is_there_for(Telltale()),
        lambda: suite.test_it_lets_the_rest_pass(Telltale()),
        lambda: suite.test_it_finds_the_same_again_and_beside_others(Telltale()),
        lambda: suite.test_it_has_a_version(Telltale()),
    )
    suite.bad = ("the harbour",)
    await _fails(lambda: suite.test_findings_are_counted_and_hold_no_text(Telltale()))


async def test_fails_layer() -> None:
    suite, layer = testing.LayerSuite(), PluginLayer(Losing, after="Trace", before="Limit")
    await _fails(
        lambda: suite.test_it_names_one_place(layer),
        lambda: suite.test_an_answer_passes_and_ends_in_usage_and_one_finish(layer),
        lambda: suite.test_what_must_not_be_cached_stays_so(layer),
        lambda: suite.test_a_fingerprint_follows_the_inner_one(layer),
    )


async def test_fails_toolset() -> None:
    def faulty(gate: int) -> ToolResult:
        """Opens a gate."""
        if gate == 2:
            raise ValueError("stuck")
        return ToolResult(error="The gate is stuck.")

    suite = testing.ToolsetSuite()
    for gate in (1, 2):
        suite.calls = {"faulty": {"gate": gate}}
        await _fails(lambda: suite.test_calls_succeed_with_a_json_value({"faulty": FunctionTool(faulty)}))


async def test_fails_metric() -> None:
    suite, embedder = testing.MetricSuite(), WordEmbedder()
    suite.better, suite.worse = GivenAnswer("When?", "It opens at six."), GivenAnswer("When?", "No.")
    await _fails(
        lambda: suite.test_the_better_answer_scores_higher(Boundless(), embedder),
        lambda: suite.test_scores_lie_between_0_and_1(Boundless(), embedder),
        lambda: suite.test_the_same_answer_has_the_same_score(Boundless(), embedder),
        lambda: suite.test_its_version_is_text(Boundless()),
    )


async def test_fails_scorer() -> None:
    suite = testing.ScorerSuite()
    suite.worse = ExampleAnswer("No.")
    await _fails(
        lambda: suite.test_the_better_answer_scores_higher(BoundlessScorer()),
        lambda: suite.test_scores_lie_between_0_and_1(BoundlessScorer()),
        lambda: suite.test_the_same_answer_has_the_same_score(BoundlessScorer()),
        lambda: suite.test_its_name_stays(BoundlessScorer()),
    )


async def test_fails_recipe(tmp_path: Path) -> None:
    """It names files that lie elsewhere."""
    suite = testing.RecipeSuite()
    suite.sides, suite.given = POINTS, {"steps": 4, "fails": "outside"}
    await _fails(lambda: suite.test_what_it_makes_lies_in_its_output(HERE, tmp_path / "run"))


async def test_fails_transcriber() -> None:
    suite, transcriber = testing.TranscriberSuite(), Hears()
    await _fails(
        lambda: suite.test_it_has_a_name(transcriber),
        lambda: suite.test_speech_is_transcribed(transcriber),
        lambda: suite.test_segments_are_in_order_and_within_the_recording(transcriber),
        lambda: suite.test_what_is_not_audio_is_refused(transcriber, b"no audio"),
    )


async def test_fails_voice() -> None:
    suite, voice = testing.VoiceSuite(), Beep()
    await _fails(
        lambda: suite.test_it_has_a_name(voice),
        lambda: suite.test_a_longer_text_takes_longer(voice),
        lambda: suite.test_speech_can_be_faster(voice),
        lambda: suite.test_an_unknown_voice_is_refused(voice),
    )
    suite.speaker = "wide"
    await _fails(lambda: suite.test_a_text_becomes_a_wav_file(voice))


async def test_fails_cache() -> None:
    suite = testing.CacheSuite()
    suite.limit = 20

    def cache() -> Any:
        return Untagged()

    await _fails(
        lambda: suite.test_values_come_back_and_are_replaced(cache(), "n"),
        lambda: suite.test_values_end(cache(), "n"),
        lambda: suite.test_a_tag_drops_what_carries_it_and_nothing_else(cache(), "n"),
        lambda: suite.test_a_replaced_entry_has_its_new_tags_only(cache(), "n"),
        lambda: suite.test_one_entry_is_dropped(cache(), "n", False),
        lambda: suite.test_the_oldest_leave_when_there_are_too_many(cache(), "n"),
        lambda: suite.test_everything_at_once(cache(), "n"),
    )


async def test_fails_vector_store() -> None:
    suite, vectors = testing.VectorStoreSuite(), cast(Any, Empty())
    await _fails(
        lambda: suite.test_a_row_comes_back_as_it_was_written(vectors),
        lambda: suite.test_only_current_generations_are_seen(vectors),
        lambda: suite.test_fresh_rows_are_found_at_once(vectors),
        lambda: suite.test_another_dimension_is_refused(vectors),
    )


async def test_fails_database(tmp_path: Path) -> None:
    suite = testing.DatabaseSuite()
    database = Halves(tmp_path / "suite.db")
    try:
        await database.write(lambda at: at.execute(sa.text("CREATE TABLE suite_rows (id INTEGER PRIMARY KEY, text)")))
        await _fails(lambda: suite.test_a_reader_does_not_write(database))
        await database.write(lambda at: at.execute(sa.text("DELETE FROM suite_rows")))
        await _fails(lambda: suite.test_a_transaction_that_fails_leaves_nothing(database))
    finally:
        await database.close()


async def test_fails_application() -> None:
    suite, application = testing.ApplicationSuite(), Endless()
    await _fails(
        lambda: suite.test_a_stream_ends_in_usage_and_then_in_one_finish_a_choice(application),
        lambda: suite.test_a_fingerprint_is_the_same_for_the_same_request(application),
    )


async def test_fails_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite, folder = testing.SandboxSuite(), tmp_path / "box"
    folder.mkdir()
    bare = Bare(folder)
    await _fails(
        lambda: suite.test_the_last_expression_is_the_value(bare),
        lambda: suite.test_a_failure_of_the_code_is_a_result(bare, "1 / 0", "ZeroDivisionError"),
        lambda: suite.test_files_go_in_and_come_out(bare),
        lambda: suite.test_names_of_files_elsewhere_are_refused(bare, "../out.txt"),
        lambda: suite.test_a_run_finds_nothing_of_an_earlier_one(bare),
        lambda: suite.test_files_of_the_machine_are_out_of_reach(bare, tmp_path),
        lambda: suite.test_the_environment_is_out_of_reach(bare, monkeypatch),
        lambda: suite.test_the_network_is_out_of_reach(bare),
        lambda: suite.test_memory_is_limited(bare),
    )
    for each in tmp_path.glob("planted"):
        each.unlink()
    await _fails(lambda: suite.test_a_file_of_the_machine_is_not_written(bare, tmp_path))


async def test_fails_feature() -> None:
    @contextlib.asynccontextmanager
    async def opened(_: object) -> AsyncIterator[object]:
        yield {}

    suite = testing.FeatureSuite()
    await _fails(
        lambda: suite.test_its_name_can_be_a_section_and_a_folder(Feature("Two words")),
        lambda: suite.test_it_does_something(Feature("idle")),
        lambda: suite.test_its_service_has_a_class_of_its_own(Feature("plain", opened), cast(Any, SimpleNamespace())),
    )
