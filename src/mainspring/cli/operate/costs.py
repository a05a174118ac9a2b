"""``mainspring costs``: spending, prices of models, and whether caching a prefix would pay."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.core import private_files
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.core.settings import Settings
    from mainspring.stores.money.ledger import LedgerLine

DIMENSIONS = "tenant, key, application, model, day, hour, request"
UNITS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
NANO = 10**9
app = typer.Typer(help="Show spending by tenant, key, application, model or time.", invoke_without_command=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help="Tenant; empty: all tenants")]
Since = Annotated[str, typer.Option(help="How far back: 12h, 7d, 4w, or a day like 2026-11-25")]


@app.callback()
def costs(
    context: typer.Context,
    by: Annotated[list[str] | None, typer.Option(help=f"One of {DIMENSIONS}; repeat for more")] = None,
    since: Since = "30d",
    tenant: Tenant = "default",
    trace: Annotated[str | None, typer.Option(help="Only the request of this x-trace-id")] = None,
    anomalies: Annotated[
        bool, typer.Option("--anomalies", help="Show hours that cost far more than comparable hours")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sum up spending, by model unless stated otherwise."""
    if context.invoked_subcommand is not None:
        return
    start = _start(since)
    if anomalies:
        _anomalies(context, start, tenant, as_json)
        return
    dimensions = by or ["model"]
    lines = asyncio.run(_sums(_settings(context), dimensions, start, tenant, trace))
    if trace is not None and not lines:
        raise NotFound(f"nothing was spent under trace {trace}", remedy="`mainspring traces` shows what is recorded")
    if as_json:
        from mainspring.gateway.routes.costs import line_body

        show.as_json([line_body(line) for line in lines])
        return
    _table(dimensions, lines)


@app.command()
def prices(context: typer.Context, as_json: AsJson = False) -> None:
    """Show each configured model's price in US dollars per million tokens, and its source."""
    rows = []
    for name, tariff in known_tariffs(_settings(context)).known():
        price = tariff.price(time.time())
        cached = None if price.cached_input is None else price.cached_input / NANO
        batch = tariff.rates.get("batch")
        of_batch = None if not batch else tariff.price(time.time(), "batch").output / NANO
        source = tariff.source if tariff.priced else "unpriced"
        rows.append((name, price.input / NANO, cached, price.output / NANO, of_batch, source))
    columns = ("model", "input", "cached input", "output", "batch output", "source")
    if as_json:
        names = [column.replace(" ", "_") for column in columns]
        show.as_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    show.table(columns, [["-" if cell is None else cell for cell in row] for row in rows])


@app.command()
def calibrate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model of models.chat")],
    streams: Annotated[int, typer.Option(min=1, max=256, help="Number of concurrent requests")] = 8,
    prompt_tokens: Annotated[int, typer.Option(min=32, max=8192, help="Tokens of each prompt")] = 512,
    output_tokens: Annotated[int, typer.Option(min=8, max=4096, help="Tokens of each answer")] = 128,
    as_json: AsJson = False,
) -> None:
    """Measure how many tokens per second a model reads and writes on this machine, for hourly prices. Stop the server
    first."""
    import dataclasses

    from mainspring import engines
    from mainspring.serving.money.machine_cost import measure
    from mainspring.serving.money.tariffs import keep_throughput

    settings = _settings(context)
    if model not in settings.models.chat:
        raise InvalidRequest(f"{model} is not in models.chat", remedy=f"There are: {', '.join(settings.models.chat)}")
    alone = settings.model_copy(
        update={"models": settings.models.model_copy(update={"chat": (model,), "remote": {}, "reranker": ""})}
    )

    async def work() -> Any:
        async with engines.open(alone) as opened:
            return await measure(
                opened.chat[model].responder,
                model,
                streams=streams,
                prompt_tokens=prompt_tokens,
                output_tokens=output_tokens,
                progress=lambda stage: None if as_json else print(stage, "..."),
            )

    measured = asyncio.run(work())
    private_files.folder(settings.home)
    keep_throughput(settings.home, model, measured)
    if as_json:
        show.as_json({"model": model, **dataclasses.asdict(measured)})
        return
    cached = f", {measured.cached_input:g} from its prefix cache" if measured.cached_input else ""
    print(
        f"{model} reads {measured.input:g} tokens a second{cached} and writes {measured.output:g}, {streams} at once."
    )
    if not settings.prices.per_hour:
        print("Set prices.per_hour to what this machine costs in US dollars an hour, and its tokens have a price.")


@app.command("advice")
def advice_command(
    context: typer.Context,
    since: Since = "7d",
    tenant: Tenant = "default",
    storage: Annotated[float, typer.Option(min=0, help="US dollars per hour to cache a million tokens")] = 0.0,
    kept_minutes: Annotated[
        float, typer.Option(min=0.1, help="Minutes for which a prefix is cached after its last use")
    ] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Show which prompts share a prefix, and whether paying the provider to cache it would pay off."""
    import dataclasses

    from mainspring.serving.money.prefix_cache_advice import Advice, PrefixTerms, advise

    settings = _settings(context)
    tariffs = known_tariffs(settings)

    async def work() -> list[tuple[str, str, int, float]]:
        from mainspring import stores
        from mainspring.stores.money.ledger import LedgerQuery

        async with stores.open(settings) as opened:
            return await opened.ledger.prefixes(LedgerQuery(tenant or None, _start(since)))

    uses: dict[str, list[tuple[str, int, float]]] = {}
    for model, prefix, tokens, at in asyncio.run(work()):
        uses.setdefault(model, []).append((prefix, tokens, at))
    found: list[Advice] = []
    for model, seen in uses.items():
        tariff = tariffs.find(model)
        kept = {"storage": round(storage * NANO), "kept_s": kept_minutes * 60}
        terms = PrefixTerms.of(tariff.price(time.time()), **kept) if tariff is not None else None  # type: ignore[arg-type]
        found += advise(model, seen, terms) if terms else []
    if as_json:
        show.as_json([{**dataclasses.asdict(each), "saves": each.saves} for each in found])
        return
    if not found:
        print("No calls with a long common beginning of a model whose provider sells its keeping.")
        return
    columns = ["model", "prefix", "tokens", "uses", "pays from", "plain $", "kept $", "saves $"]
    rows = [
        [each.model, each.prefix, each.tokens, each.uses, f"{each.break_even or 'never'} uses"]
        + [f"{value / NANO:.4f}" for value in (each.plain, each.kept, each.saves)]
        for each in found[:20]
    ]
    show.table(columns, rows)


def known_tariffs(settings: Settings) -> Any:
    """The tariffs of all models that are configured. Raises ``SettingsError``."""
    from mainspring.engines.catalogue.entries import Catalogue
    from mainspring.serving.money.pricing import Price
    from mainspring.serving.money.tariffs import Tariffs

    tariffs = Tariffs(settings)
    catalogue = Catalogue.load(settings)
    for name in settings.models.local:
        entry = catalogue.get(name)
        tariffs.of(name, Price.per_million(entry.price_input, entry.price_output))
    for name, remote in settings.models.remote.items():
        tariffs.of(name, Price.per_million(remote.price_input, remote.price_output))
    for name in settings.models.remote_rerankers:
        tariffs.of(name)
    return tariffs


def _settings(context: typer.Context) -> Settings:
    from mainspring.core.settings import load

    return load(context.obj).settings


async def _sums(settings: Settings, by: list[str], since: float, tenant: str, trace: str | None) -> list[LedgerLine]:
    from mainspring import stores
    from mainspring.stores.money.ledger import LedgerQuery

    where: Any = {} if trace is None else {"request": trace}
    async with stores.open(settings) as opened:
        return await opened.ledger.sums(by, LedgerQuery(tenant or None, since, where=where))  # type: ignore[arg-type]


def _table(dimensions: list[str], lines: list[LedgerLine]) -> None:
    if not lines:
        print("Nothing was spent.")
        return
    columns = [
        *dimensions,
        "calls",
        "tokens in",
        "cached",
        "out",
        "$",
        "prompt cache $",
        "hits",
        "answer cache $",
        "routing $",
    ]
    rows = [[*line.of.values(), *_cells(line)] for line in lines]
    if len(lines) > 1:
        from mainspring.stores.money.ledger import total

        rows.append(["total", *[""] * (len(dimensions) - 1), *_cells(total(lines))])
    show.table(columns, rows)
    if unpriced := sum(line.unpriced for line in lines):
        print(f"\n{unpriced} calls were of models whose price nobody knows: `mainspring costs prices` names them.")
    if unknown := sum(line.routing_unknown for line in lines):
        answers = "1 answer" if unknown == 1 else f"{unknown} answers"
        print(f"\nWhat routing saved on {answers} is unknown: the large or the small model of `auto` has no price.")


def _cells(line: LedgerLine) -> list[Any]:
    return [
        line.calls,
        line.prompt_tokens,
        line.cached_tokens,
        line.completion_tokens,
        f"{line.cost_nanousd / NANO:.6f}",
        f"{line.saved_nanousd / NANO:.6f}",
        line.hits,
        f"{line.cache_saved_nanousd / NANO:.6f}",
        "?" if line.routed == line.routing_unknown > 0 else f"{line.routing_saved_nanousd / NANO:.6f}",
    ]


def _anomalies(context: typer.Context, since: float, tenant: str, as_json: bool) -> None:
    from mainspring.serving.money.cost_anomalies import HOUR
    from mainspring.serving.money.cost_watch import look

    settings = _settings(context)
    hours = range(int(since) // HOUR, int(time.time()) // HOUR)

    async def work() -> Any:
        from mainspring import stores

        async with stores.open(settings) as opened:
            least = round(settings.prices.anomaly_usd * NANO)
            return await look(opened.ledger, hours, least=least, tenant=tenant or None)

    rows = [
        {
            "tenant": of,
            "model": model,
            "hour": time.strftime("%Y-%m-%dT%H:00Z", time.gmtime(found.hour * HOUR)),
            "cost $": found.cost / NANO,
            "expected $": found.expected / NANO,
            "spreads": found.score,
        }
        for of, model, found in asyncio.run(work())
    ]
    if as_json:
        show.as_json(rows)
    elif rows:
        show.table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        print("No hour cost far more than such hours do.")


def _start(since: str) -> float:
    """Unix seconds. Raises ``InvalidRequest``."""
    number, unit = since[:-1], since[-1:]
    if unit in UNITS and number.replace(".", "", 1).isdigit():
        return max(0.0, time.time() - float(number) * UNITS[unit])
    try:
        import calendar

        return float(calendar.timegm(time.strptime(since, "%Y-%m-%d")))
    except ValueError:
        raise InvalidRequest(
            f"{since!r} is not a time", remedy="Write 12h, 7d, 4w or a day like 2026-11-25", param="since"
        ) from None
