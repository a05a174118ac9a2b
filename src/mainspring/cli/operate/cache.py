"""``mainspring cache``: shows and clears the caches, and calibrates the semantic cache's threshold from labelled
pairs."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.core.errors import MainspringError, Unauthenticated, UpstreamError
from mainspring.core.settings import LoadedSettings, Settings, load
from mainspring.terminal import show
from mainspring.terminal.pulling import pull_missing
from mainspring.terminal.remote import reach

if TYPE_CHECKING:
    from mainspring.serving.cache.semantic.calibrate import JudgedPair

app = typer.Typer(
    help="Show, clear and calibrate the caches of answers.",
    epilog="docs/guides/caching.md says what is cached, for whom and how long.",
    no_args_is_help=True,
)
_TENANT = Annotated[
    str, typer.Option(help="Without a server: tenant that owns the answers (otherwise the key's tenant)")
]
_AS_JSON = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


@app.command("show")
def show_state(context: typer.Context, tenant: _TENANT = "default", as_json: _AS_JSON = False) -> None:
    """Show how many answers are cached, and how similar questions must be to share one.

    Asks the running server with the key in MAINSPRING_API_KEY, or reads the stores if none runs.
    """
    found = _served(load(context.obj), "GET") or asyncio.run(_stored(load(context.obj).settings, tenant, clear=False))
    if as_json:
        show.as_json(found)
        return
    print(f"{found['answers']} answers, {found['questions']} questions that lead to them by meaning")
    semantic = found.get("semantic")
    if semantic:
        raised = " (raised by reports of wrong answers)" if semantic["threshold"] > semantic["configured"] else ""
        print(f"questions share an answer from a likeness of {semantic['threshold']:.3f} on{raised}")
    else:
        print("the semantic cache is off (serving.semantic_cache), or no server runs")


@app.command("clear")
def clear(context: typer.Context, tenant: _TENANT = "default", as_json: _AS_JSON = False) -> None:
    """Drop all cached answers of a tenant."""
    found = _served(load(context.obj), "DELETE") or asyncio.run(_stored(load(context.obj).settings, tenant, clear=True))
    if as_json:
        show.as_json(found)
        return
    print(f"dropped {found['answers']} answers and {found['questions']} questions")


@app.command("calibrate")
def calibrate(
    context: typer.Context,
    pairs: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", help='Lines of {"one": ..., "other": ..., "same": ...}')
    ],
    at_most: Annotated[
        float, typer.Option(min=0, max=1, help="Maximum share of different pairs that are taken for the same")
    ] = 0,
    as_json: _AS_JSON = False,
) -> None:
    """Find the lowest threshold that separates labelled pairs of different questions.

    Prints hits against false hits at each threshold, what the rules refused, and the setting. Embeds with
    `models.embedding`.
    """
    from mainspring.serving.cache.semantic.calibrate import curve, least_threshold, read_pairs

    settings = load(context.obj).settings
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": ()})})
    pull_missing(settings)
    judged = asyncio.run(_judge(settings, pairs, read_pairs))
    threshold = least_threshold(judged, at_most)
    points = curve(judged)
    wrong = [each for each in judged if not each.pair.same and threshold is not None and each.hit(threshold)]
    if as_json:
        rows = [{name: getattr(point, name) for name in point.__slots__} for point in points]
        show.as_json({"threshold": threshold, "curve": rows, "false_hits": [each.pair.one for each in wrong]})
        return
    rows_shown = [(f"{p.threshold:.2f}", f"{p.hits}/{p.alike}", f"{p.false_hits}/{p.different}") for p in points]
    show.table(("THRESHOLD", "HITS", "FALSE HITS"), rows_shown)
    for each in wrong:
        print(f"taken for one at {threshold}: {each.pair.one} | {each.pair.other}")
    if threshold is None:
        print("no threshold keeps false hits that low on these pairs: leave serving.semantic_cache off")
        return
    print(f"\nserving:\n  semantic_cache: true\n  semantic_threshold: {threshold}")


async def _judge(settings: Settings, path: Path, read_pairs: Any) -> list[JudgedPair]:
    from mainspring.engines import builtin
    from mainspring.serving.cache.semantic.calibrate import judge

    pairs = read_pairs(path)
    embedder, words = await builtin.embedder(settings), builtin.words(settings)
    try:
        return await judge(pairs, embedder, words)
    finally:
        await embedder.close()
        await words.close()


async def _stored(settings: Settings, tenant: str, *, clear: bool) -> dict[str, Any]:
    from mainspring import stores
    from mainspring.serving.cache.administration import Caches

    async with stores.open(settings) as opened:
        caches = Caches(opened.cache, opened.similar, None)
        state = await (caches.clear(tenant) if clear else caches.state(tenant))
        if clear:
            told = {"answers": state.answers, "questions": state.questions}
            await opened.audit.record(tenant, "cache.dropped", details=told)
        return {"object": "cache", "answers": state.answers, "questions": state.questions, "semantic": None}


def _served(loaded: LoadedSettings, method: str) -> dict[str, Any] | None:
    """The running server's state; None if none runs. Only the server itself can count and drop entries in its memory.

    Raises ``Unauthenticated`` without a key, ``UpstreamError`` if the server refuses.
    """
    gateway = loaded.settings.gateway
    url = loaded.environment.get("MAINSPRING_URL") or gateway.url
    if not url.startswith(("http://", "https://")):
        raise UpstreamError(f"MAINSPRING_URL is {url}, which is not an address", remedy="Write http://host:port")
    key = loaded.environment.get("MAINSPRING_API_KEY", "")
    request = urllib.request.Request(f"{url}/v1/cache", headers={"authorization": f"Bearer {key}"}, method=method)  # noqa: S310
    try:
        with reach(request, 10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except urllib.error.HTTPError as error:
        raise _refused(url, error, key) from None
    except (urllib.error.URLError, OSError):
        if loaded.environment.get("MAINSPRING_URL"):
            raise UpstreamError(f"no server answers at {url}", remedy="Start it, or unset MAINSPRING_URL") from None
        return None


def _refused(url: str, error: urllib.error.HTTPError, key: str) -> MainspringError:
    if not key:
        return Unauthenticated(f"a server runs at {url}", remedy="Set MAINSPRING_API_KEY to an admin key of it")
    try:
        message = json.loads(error.read())["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = str(error)
    return UpstreamError(f"the server at {url} refused: {message}")
