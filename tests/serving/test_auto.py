"""The router: what decides, what a cascade throws away, and what it must never do."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import EngineError, InvalidRequest, Overloaded, SettingsError
from mainspring.core.path import Answer, collect
from mainspring.core.settings import AutoSettings, RouteRule
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    EmbedRequest,
    Event,
    Finish,
    Grammar,
    Head,
    Message,
    Response,
    Sampling,
    Text,
    TokenLogprob,
    Tool,
    ToolCall,
    Usage,
)
from mainspring.engines.base import Capabilities, Embedded, Generation
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import PARAMETERS, Script, ScriptedEngine
from mainspring.serving.money.pricing import Price
from mainspring.serving.ring.compose import call_ring
from mainspring.serving.ring.registry import Served
from mainspring.serving.route import auto
from mainspring.serving.route.auto import Auto, RoutedModel, classifier, confidence, rules
from mainspring.serving.route.auto.classifier import Classifier, JudgedPrompt, fit
from mainspring.telemetry.metrics import Metrics
from tests.serving.house import House, MemoryTracing, visitor

HEADER = "x-mainspring-route"


class Axes:
    """Embeds a text by whether it speaks of sums."""

    name = "axes"
    dimensions = 2
    max_tokens = 512

    def __init__(self) -> None:
        self.asked: list[str] = []

    def count_tokens(self, texts: Any) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Any, kind: str = "passage") -> Embedded:
        self.asked += texts
        rows = np.array([[1.0, 0.0] if "sum" in text else [0.0, 1.0] for text in texts], np.float32)
        return Embedded(rows, len(texts))

    async def close(self) -> None: ...


class Counted(Metrics):
    def __init__(self) -> None:
        self.routes: list[tuple[str, str]] = []

    def routed(self, model: str, by: str) -> None:
        self.routes.append((model, by))


class Sure:
    """A chat model that says its text with one log-probability a token."""

    def __init__(self, text: str, logprob: float, *, usage: Usage = Usage(10, 5, cost_nanousd=7)) -> None:  # noqa: B008
        self.text, self.logprob, self.usage = text, logprob, usage
        self.asked: list[Any] = []

    async def respond(self, request: Any, context: Context) -> Response:
        self.asked.append(request)
        told = request.sampling.logprobs is not None
        tokens = tuple(TokenLogprob(word, self.logprob) for word in self.text.split()) if told else ()

        async def events() -> Any:
            yield Text(self.text, tokens=5, logprobs=tokens)
            yield self.usage
            yield Finish("stop")

        return Response(Head(request.model), events())

    def fingerprint(self, request: Any, context: Context) -> str | None:
        return f"sure-{self.text}"


def capable(window: int = 4096, **more: Any) -> Capabilities:
    known = {"grammars": frozenset({"json_schema"}), "logprobs": 1, "max_choices": 4, **more}
    return Capabilities(window, PARAMETERS, **known)


def router(
    small: Any, large: Any, /, *, embedder: Any = None, tracing: MemoryTracing | None = None, **settings: Any
) -> tuple[Auto, Counted]:
    metrics = Counted()
    models = {
        "small": RoutedModel("small", small, settings.pop("small_can", capable())),
        "large": RoutedModel("large", large, settings.pop("large_can", capable(32_768, max_choices=16))),
    }
    made = auto.make(
        AutoSettings(**{"small": "small", "large": "large", **settings}),
        models,
        default_output=100,
        tracing=tracing or MemoryTracing(),
        metrics=metrics,
        embedder=embedder or Axes(),
        charging=None,
    )
    assert made is not None
    return made, metrics


def asking(text: str = "what is it", **fields: Any) -> ChatRequest:
    return ChatRequest("auto", (Message("user", text),), **fields)


async def told(responder: Auto, request: Any) -> Answer:
    return await collect(await responder.respond(request, visitor()))


async def test_a_confident_small_answer_is_the_answer_and_shows_no_logprobs_that_nobody_asked_for() -> None:
    small, large = Sure("four", -0.01), Sure("4.", 0.0)
    made, metrics = router(small, large)
    answer = await told(made, asking())
    assert answer.text == "four"
    assert answer.choices[0].logprobs == []
    assert answer.head.model == "auto"
    assert answer.head.headers[HEADER] == "model=small; by=cascade; score=0.990"
    assert answer.usage == Usage(10, 5, cost_nanousd=7)
    assert not large.asked
    assert metrics.routes == [("small", "cascade")]
    kept = await told(made, asking(sampling=Sampling(logprobs=0)))
    assert [token.logprob for token in kept.choices[0].logprobs] == [-0.01]


async def test_a_weak_one_is_thrown_away_and_paid_for() -> None:
    small, large = Sure("perhaps five", -2.0), Sure("four", 0.0, usage=Usage(12, 3, cost_nanousd=90))
    made, metrics = router(small, large)
    request = asking()
    answer = await told(made, request)
    assert answer.text == "four"
    assert answer.usage == Usage(22, 8, cost_nanousd=97)
    assert answer.head.headers[HEADER] == "model=large; by=cascade-escalated; score=0.135"
    assert large.asked == [request]
    assert metrics.routes == [("large", "cascade-escalated")]


@pytest.mark.parametrize(
    ("small", "reason"),
    [("", "empty"), ("I'm sorry, I cannot help with that.", "a refusal"), ("I don't know.", "a refusal")],
)
async def test_broken_form_is_no_confidence(small: str, reason: str) -> None:
    made, _ = router(Sure(small, 0.0), Sure("four", 0.0))
    assert (await told(made, asking())).text == "four", reason


async def test_structure_that_was_asked_for_must_be_there() -> None:
    grammar = Sampling(grammar=Grammar("json_schema", "{}"))
    made, _ = router(Sure("{broken", 0.0), Sure('{"a": 1}', 0.0))
    assert (await told(made, asking(sampling=grammar))).text == '{"a": 1}'
    made, _ = router(Sure('{"b": 2}', 0.0), Sure('{"a": 1}', 0.0))
    assert (await told(made, asking(sampling=grammar))).text == '{"b": 2}'


def test_tool_calls_must_parse() -> None:
    request = asking(tools=(Tool("f"),))

    def called(arguments: str) -> Answer:
        answer = Answer(Head("m"))
        answer.add(Finish("tool_calls"))
        answer.choices[0].tool_calls.append(ToolCall("1", "f", arguments))
        return answer

    assert confidence.well_formed(request, called('{"x": 1}'))
    assert not confidence.well_formed(request, called('{"x": '))
    assert not confidence.well_formed(request, called("[" * 100_000))


@pytest.mark.parametrize("error", [EngineError("the cable was pulled"), Overloaded("full", retry_after=3)])
async def test_a_small_model_that_fails_is_what_the_large_one_is_for(error: Exception) -> None:
    engine = ScriptedEngine(lambda _: ["half", error], templates=True)
    made, metrics = router(ModelResponder(engine, model_name="small", fingerprint="s"), Sure("four", 0.0))
    assert (await told(made, asking())).text == "four"
    assert metrics.routes == [("large", "cascade-failed")]
    assert engine.live == 0


async def test_a_large_model_that_fails_leaves_the_weak_answer_which_says_so() -> None:
    class Broken(Sure):
        async def respond(self, request: Any, context: Context) -> Response:
            raise Overloaded("full", retry_after=3)

    made, metrics = router(Sure("perhaps five", -2.0), Broken("", 0.0))
    answer = await told(made, asking())
    assert answer.text == "perhaps five"
    assert metrics.routes == [("small", "cascade-fallback")]
    # When the large model is back, it is to answer.
    assert answer.head.headers["cache-control"] == "no-store"
    made, _ = router(Broken("", 0.0), Broken("", 0.0))
    with pytest.raises(Overloaded):
        await told(made, asking())


async def test_what_no_model_would_answer_is_not_asked_twice() -> None:
    class Refusing(Sure):
        async def respond(self, request: Any, context: Context) -> Response:
            raise InvalidRequest("seed must be positive", param="seed")

    large = Sure("four", 0.0)
    made, _ = router(Refusing("", 0.0), large)
    with pytest.raises(InvalidRequest, match="seed"):
        await told(made, asking())
    assert not large.asked
    with pytest.raises(InvalidRequest, match="does not embed"):
        await made.respond(EmbedRequest("auto", ("x",)), visitor())


async def test_a_client_that_leaves_ends_the_hidden_attempt() -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(lambda _: ["a", gate, "b"], templates=True)
    made, _ = router(ModelResponder(engine, model_name="small", fingerprint="s"), Sure("four", 0.0))
    task = asyncio.create_task(made.respond(asking(), visitor()))
    while not engine.live:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.live == 0


async def test_rules_come_first_in_their_order() -> None:
    chosen = (
        RouteRule(use="large", words=("contract", "law"), tokens_above=3),
        RouteRule(use="small", pattern=r"^/quick\b"),
        RouteRule(use="large", tools=True),
    )
    made, metrics = router(Sure("s", 0.0), Sure("l", 0.0), rules=chosen, policy="rules")
    assert (await told(made, asking("is this Contract good? I should like to know"))).text == "l"
    assert (await told(made, asking("/quick contract?"))).text == "l"
    assert (await told(made, asking("law"))).text == "l"
    assert (await told(made, asking("lawful things are many and long to tell"))).text == "s"
    assert (await told(made, asking("/quick one", tools=(Tool("f"),)))).text == "s"
    assert (await told(made, asking("any", tools=(Tool("f"),)))).text == "l"
    assert [by for _, by in metrics.routes] == ["rule-1", "rule-1", "rule-1", "default", "rule-2", "rule-3"]


def test_every_condition_of_a_rule() -> None:
    asked = rules.RouterInput("Translate this", 120, 50, 3, tools=False, grammar="json_schema")
    for rule, wanted in (
        (RouteRule(use="large", tokens_above=119), True),
        (RouteRule(use="large", tokens_above=120), False),
        (RouteRule(use="large", turns_above=2), True),
        (RouteRule(use="large", turns_above=3), False),
        (RouteRule(use="large", structured=True), True),
        (RouteRule(use="large", structured=False), False),
        (RouteRule(use="large", words=("translate",)), True),
        (RouteRule(use="large", words=("late",)), False),
        (RouteRule(use="large", pattern="^translate"), False),
    ):
        assert rules.holds(rule, asked) is wanted, rule


@pytest.mark.parametrize(
    ("fields", "by"),
    [
        ({"text": "long " * 4000}, "window"),
        ({"sampling": Sampling(n=5)}, "choices"),
        ({"sampling": Sampling(grammar=Grammar("regex", "a"))}, "grammar"),
    ],
)
async def test_what_the_small_model_cannot_do_at_all_goes_to_the_large_one(fields: dict[str, Any], by: str) -> None:
    can = capable(32_768, max_choices=16, grammars=frozenset({"json_schema", "regex"}))
    made, metrics = router(Sure("s", 0.0), Sure("l", 0.0), large_can=can, policy="rules")
    assert (await told(made, asking(**fields))).text == "l"
    assert metrics.routes == [("large", by)]


async def test_completions_are_routed_by_their_prompt() -> None:
    made, metrics = router(Sure("s", 0.0), Sure("l", 0.0), rules=(RouteRule(use="large", words=("def",)),))
    assert (await told(made, CompletionRequest("auto", "def f():"))).text == "l"
    assert (await told(made, CompletionRequest("auto", "Once upon"))).text == "s"
    assert [by for _, by in metrics.routes] == ["rule-1", "cascade"]


# --- the classifier ----------------------------------------------------------------------------------------------


def easy_ones(path: Path | None = None) -> Classifier:
    texts = [f"a sum number {n}" for n in range(20)] + [f"a tale number {n}" for n in range(20)]
    rows = [JudgedPrompt(np.array([1.0, 0.0] if "sum" in t else [0.0, 1.0]), t, "tale" in t) for t in texts]
    found = fit(rows, embedder="axes", model="small", ridge=0.5, card={"prompts": 40})
    if path is not None:
        found.save(path)
    return found


async def test_the_classifier_and_hybrid_send_by_chance(tmp_path: Path) -> None:
    path = tmp_path / "router.json"
    easy_ones(path)
    embedder = Axes()
    made, metrics = router(Sure("s", -3.0), Sure("l", 0.0), policy="classifier", classifier=path, embedder=embedder)
    assert (await told(made, asking("a tale number 3"))).text == "s"
    assert (await told(made, asking("a sum number 3"))).text == "l"
    assert [by for _, by in metrics.routes] == ["classifier", "classifier"]
    assert embedder.asked == ["a tale number 3", "a sum number 3"]
    sure: dict[str, Any] = {"policy": "hybrid", "classifier": path}
    made, metrics = router(Sure("s", -3.0), Sure("l", 0.0), **sure, sure_above=0.6, sure_below=0.4)
    assert (await told(made, asking("a tale number 3"))).text == "s"
    assert (await told(made, asking("a sum number 3"))).text == "l"
    assert [by for _, by in metrics.routes] == ["classifier", "classifier"]
    made, metrics = router(Sure("s", -3.0), Sure("l", 0.0), **sure, sure_above=1.0, sure_below=0.0)
    assert (await told(made, asking("a tale number 3"))).text == "l"
    assert [by for _, by in metrics.routes] == ["cascade-escalated"]


def test_a_classifier_is_what_it_was_when_it_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "router.json"
    made = easy_ones(path)
    again = Classifier.load(path)
    for text, vector in (("a sum", [1.0, 0.0]), ("a tale", [0.0, 1.0])):
        assert again.chance(np.array(vector), text) == pytest.approx(made.chance(np.array(vector), text), abs=1e-3)
    assert again.card == {"prompts": 40}
    for damage, said in (("{", "not JSON"), ('{"format": "x"}', "not a classifier"), (None, "cannot be read")):
        other = tmp_path / "other.json"
        other.unlink(missing_ok=True)
        if damage is not None:
            other.write_text(damage)
        with pytest.raises(SettingsError, match=said):
            Classifier.load(other)
    content = json.loads(path.read_text())
    content["mean"] = content["mean"][1:]
    path.write_text(json.dumps(content))
    with pytest.raises(SettingsError, match="differ in length"):
        Classifier.load(path)


def test_a_number_that_hardly_varies_tells_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    vectors = np.column_stack([draw.normal(size=200), draw.normal(scale=3e-7, size=200)])
    rows = [JudgedPrompt(vector, "text", bool(vector[0] > 0)) for vector in vectors]
    made = fit(rows, embedder="e", model="m", ridge=1.0)
    path = tmp_path / "router.json"
    made.save(path)
    again = Classifier.load(path)
    for chosen in (made, again):
        assert chosen.chance(np.array([2.0, 0.0]), "text") > 0.9
        # It is another number on another machine.
        assert chosen.chance(np.array([-2.0, 5e-6]), "text") < 0.1
    content = json.loads(path.read_text())
    content["scale"][1] = 0.0
    path.write_text(json.dumps(content))
    with pytest.raises(SettingsError, match="above 0"):
        Classifier.load(path)


def test_the_packaged_classifier_is_sure_of_no_random_prompt() -> None:
    found = Classifier.load(Path(classifier.__file__).with_name("router.json"))
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(50, len(found.weights) - len(classifier.COUNTS)))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chances = [found.chance(vector, "Who wrote it? Answer in a few words.") for vector in vectors]
    assert 0.01 < min(chances) < max(chances) < 0.99


def test_fitting_finds_a_direction_and_refuses_one_kind_of_rows() -> None:
    draw = np.random.default_rng(5)
    truth = np.array([2.0, -1.0, 0.0, 0.5])
    vectors = draw.normal(size=(400, 4))
    goods = draw.random(400) < 1 / (1 + np.exp(-(vectors @ truth)))
    rows = [JudgedPrompt(vector, "text", bool(good)) for vector, good in zip(vectors, goods, strict=True)]
    found = fit(rows[:300], embedder="e", model="m", ridge=1.0)
    chances = [found.chance(row.vector, row.text) for row in rows[300:]]
    assert np.corrcoef(chances, 1 / (1 + np.exp(-(vectors[300:] @ truth))))[0, 1] > 0.9
    with pytest.raises(InvalidRequest, match="all good or all bad"):
        fit([row for row in rows if row.good], embedder="e", model="m")


def test_counts_see_code_and_sums() -> None:
    at = dict(zip(classifier.COUNTS, classifier.counts("what is 12 + 30 = ?"), strict=True))
    assert at["operators"] > 0
    assert at["digits"] == pytest.approx(2 / 7)
    assert at["code"] == 0
    assert dict(zip(classifier.COUNTS, classifier.counts("def f(x):\n    return x"), strict=True))["code"] > 0


# --- other signals -----------------------------------------------------------------------------------------------


async def test_agreement_is_how_much_samples_repeat_the_answer() -> None:
    said = iter(["the red one", "the red one", "a blue one"])
    seeds: list[Any] = []

    def script(generation: Generation) -> list[str]:
        seeds.append((generation.sampling.seed, generation.sampling.temperature))
        return [next(said)]

    engine = ScriptedEngine(script, templates=True)
    model = ModelResponder(engine, model_name="small", fingerprint="s")
    signal = confidence.Agreement(model, samples=3)
    answer = Answer(Head("small"))
    answer.add(Text("The red one"))
    assert await signal.of(asking(), visitor(), answer) == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert sorted(seeds) == [(0, 0.7), (1, 0.7), (2, 0.7)]


@pytest.mark.parametrize(
    ("verdict", "logprob", "wanted"), [("yes", -0.1, 0.905), ("No.", -0.1, 0.095), ("maybe", -0.1, 0.0)]
)
async def test_a_judge_is_believed_as_far_as_it_is_sure(verdict: str, logprob: float, wanted: float) -> None:
    judge = Sure(verdict, logprob)
    answer = Answer(Head("small"))
    answer.add(Text("four"))
    found = await confidence.AnswerJudge(judge, "judge", logprobs=True).of(asking("two and two?"), visitor(), answer)
    assert found == pytest.approx(wanted, abs=1e-3)
    assert "two and two?" in judge.asked[0].messages[0].content
    assert "four" in judge.asked[0].messages[0].content


# --- as it is served -----------------------------------------------------------------------------------------------


async def test_through_both_rings_every_call_is_in_the_ledger_and_the_cache_keeps_the_answer(house: Any) -> None:
    built: House = house()

    def ring(name: str, script: Script, price: Price) -> RoutedModel:
        engine = ScriptedEngine(script, name=name, templates=True)
        responder = ModelResponder(engine, model_name=name, fingerprint=name)
        calls = call_ring(built.services, responder, model=name, provider="scripted", price=price)
        return RoutedModel(name, calls, engine.capabilities)

    models = {
        "small": ring("small", lambda _: ["I don't know", "."], Price.per_million(1, 1)),
        "large": ring("large", lambda _: ["Four", "."], Price.per_million(10, 10)),
    }
    made = auto.make(
        AutoSettings(policy="cascade"),
        models,
        default_output=64,
        tracing=built.tracing,
        metrics=Counted(),
        embedder=Axes(),
        charging=None,
    )
    assert made is not None
    built.registry.add(Served("auto", "chat", made))
    sampling = Sampling(temperature=0)
    answer = await built.ask("two and two?", model="auto", sampling=sampling)
    assert answer.text == "Four."
    assert answer.head.model == "large"
    calls = built.events.of("call")
    assert [call.facts.plain()["model"] for call in calls] == ["small", "large"]
    assert answer.usage.cost_nanousd == sum(call.facts.plain()["cost_nanousd"] for call in calls) > 0
    (recorded,) = built.events.of("answer")
    assert recorded.facts.plain()["requested"] == "auto"
    assert recorded.facts.plain()["model"] == "large"
    again = await built.ask("two and two?", model="auto", sampling=sampling)
    assert (again.text, again.head.cache, again.head.model) == ("Four.", "hit", "large")
    assert len(built.events.of("call")) == 2


async def test_a_fallback_is_not_kept(house: Any) -> None:
    built: House = house()
    down = True

    def script(_: Generation) -> list[Any]:
        return [Overloaded("full", retry_after=100)] if down else ["Four"]

    def candidate(name: str, script: Script) -> RoutedModel:
        engine = ScriptedEngine(script, name=name, templates=True)
        responder = ModelResponder(engine, model_name=name, fingerprint=name)
        return RoutedModel(name, call_ring(built.services, responder, model=name, provider="scripted"), capable())

    class Doubtful(confidence.Format):
        async def of(self, request: Any, context: Context, answer: Answer) -> float:
            return 0.5

    models = {"small": candidate("small", lambda _: ["Five"]), "large": candidate("large", script)}
    settings, tracing = AutoSettings(), built.tracing
    made = Auto(settings, models, "small", "large", 64, tracing, Counted(), Doubtful())
    built.registry.add(Served("auto", "chat", made))
    sampling = Sampling(temperature=0)
    assert (await built.ask("two and two?", model="auto", sampling=sampling)).text == "Five"
    down = False
    assert (await built.ask("two and two?", model="auto", sampling=sampling)).text == "Four"


async def test_fingerprints_change_with_whatever_may_take_part() -> None:
    made, _ = router(Sure("s", 0.0), Sure("l", 0.0))
    first = made.fingerprint(asking(), visitor())
    assert first
    other, _ = router(Sure("s", 0.0), Sure("other", 0.0))
    stricter, _ = router(Sure("s", 0.0), Sure("l", 0.0), accept_above=0.9)
    assert len({first, other.fingerprint(asking(), visitor()), stricter.fingerprint(asking(), visitor())}) == 3

    class Unknown(Sure):
        def fingerprint(self, request: Any, context: Context) -> str | None:
            return None

    unknown, _ = router(Sure("s", 0.0), Unknown("l", 0.0))
    assert unknown.fingerprint(asking(), visitor()) is None


async def test_one_model_alone_is_auto() -> None:
    metrics = Counted()
    made = auto.make(
        AutoSettings(policy="hybrid"),
        {"only": RoutedModel("only", Sure("s", -9.0), capable())},
        default_output=64,
        tracing=MemoryTracing(),
        metrics=metrics,
        embedder=Axes(),
        charging=None,
    )
    assert made is not None
    assert (await told(made, asking())).text == "s"
    assert metrics.routes == [("only", "only")]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"large": "larg"}, "Did you mean large"),
        ({"rules": ({"use": "huge", "tools": True},)}, "names the chat model huge"),
        ({"confidence": "judge", "judge": "nobody"}, "nobody"),
        ({"policy": "classifier"}, "fitted on embeddings of"),
        ({"small_can": capable(logprobs=None)}, "tells no log-probabilities"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        router(Sure("s", 0.0), Sure("l", 0.0), **settings)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rules": ({"use": "large"},)}, "always apply"),
        ({"rules": ({"use": "large", "pattern": "("},)}, "not a valid regular expression"),
        ({"sure_below": 0.9, "sure_above": 0.5}, "sure_below must not be above"),
    ],
)
def test_settings_that_make_no_sense(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AutoSettings(**fields)


async def test_the_events_of_an_answer_are_closed_with_it() -> None:
    closed: list[str] = []

    class Closing(Sure):
        async def respond(self, request: Any, context: Context) -> Response:
            response = await super().respond(request, context)

            async def close() -> None:
                closed.append(self.text)

            return response.on_close(close)

    made, _ = router(Closing("weak", -3.0), Closing("strong", 0.0))
    response = await made.respond(asking(), visitor())
    assert closed == ["weak"]
    first: Event = await response.__anext__()
    assert isinstance(first, Text)
    await response.aclose()
    assert closed == ["weak", "strong"]


async def test_samples_that_nobody_waits_for_any_more_end_with_the_one_that_failed(house: Any) -> None:
    """What they had spent is in the account when the failure is raised, and they take no place in an engine."""
    home = house()
    stuck, began = asyncio.Event(), asyncio.Event()

    def script(generation: Generation) -> list[Any]:
        if generation.sampling.seed == 0:
            return [began, EngineError("no")]
        return ["Some", stuck]

    engine = ScriptedEngine(script, templates=True)
    model = ModelResponder(engine, model_name="small", fingerprint="s")
    ring = call_ring(home.services, model, model="small", provider="scripted", price=Price.per_million(1.0, 1.0))
    signal = confidence.Agreement(ring, samples=3)
    context = visitor()
    asked = asyncio.create_task(signal.of(asking(), context, Answer(Head("small"))))
    async with asyncio.timeout(30):
        while engine.live < 3:
            await asyncio.sleep(0.01)
        began.set()
        with pytest.raises(EngineError):
            await asked
    assert engine.live == 0
    assert len([each for each in context.settlement.records if each.kind == "call"]) == 3
