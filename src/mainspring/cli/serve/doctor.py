"""``mainspring doctor``: prints the configuration with its origins, and reports faults of this machine."""

from __future__ import annotations

import difflib
import importlib.util
import os
import platform
import re
import shutil
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.serve import doctor_home, doctor_serving
from mainspring.core.errors import MainspringError, ModelNotPulled
from mainspring.core.version import __version__
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.core.settings import Settings

# The password of a database's URL, which has no field of its own that could be masked.
PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
EXTRAS = {
    "documents": ("kreuzberg", "trafilatura"),
    "ocr": ("rapidocr",),
    "gguf": ("xllamacpp",),
    "oidc": ("jwt", "cryptography"),
    "credentials": ("cryptography",),
}


BROKEN = frozenset({"missing", "wrong", "damaged", "held", "full"})
"""States of checks with which a server does not start, or does not serve whole."""


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
    changed: Annotated[bool, typer.Option("--changed", help="Only settings that are not defaults")] = False,
) -> None:
    """Print every setting with its origin, and check models, extras, the home's files, disk and processor.

    Exits with 1 if something is missing, wrong, damaged or locked by another process.
    """
    from mainspring.core.settings import describe, load

    loaded = load(context.obj)
    rows = [
        (key, PASSWORD.sub(r"\1********@", value) if isinstance(value, str) else value, origin)
        for key, value, origin in describe(loaded)
    ]
    settings = [row for row in rows if not changed or row[2] != "default"]
    checks = [
        _python(),
        *_extras(),
        *_plugins(),
        *_models(context),
        *doctor_serving.names(loaded.settings),
        *doctor_serving.router(loaded.settings),
        doctor_serving.guards(loaded.settings),
        *doctor_serving.stores(loaded.settings),
        *_tls(context),
        *_oidc(context),
        *_credentials(context),
        *_residency(context),
        *_home(context),
        *doctor_home.checks(loaded.settings),
        _disk(context),
        _processor(),
    ]
    broken = [check for check in checks if check[1] in BROKEN]
    if as_json:
        show.as_json(
            {
                "version": __version__,
                "settings": [dict(zip(("key", "value", "origin"), row, strict=True)) for row in settings],
                "checks": [dict(zip(("check", "state", "detail"), check, strict=True)) for check in checks],
            },
            ok=not broken,
            errors=[show.problem("check_failed", f"{name}: {detail}") for name, _, detail in broken],
        )
    else:
        print(f"mainspring {__version__}\n")
        # Some values are long: in the last column they widen no other row.
        show.table(["setting", "from", "value"], [(key, origin, value) for key, value, origin in settings])
        print()
        show.table(["check", "state", "detail"], checks)
    if broken:
        raise typer.Exit(1)


Check = tuple[str, str, str]


def _python() -> Check:
    return "python", "ok", platform.python_version()


def _extras() -> list[Check]:
    checks = []
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if importlib.util.find_spec(name) is None]
        detail = f"pip install 'mainspring[{extra}]' brings {', '.join(missing)}" if missing else ", ".join(packages)
        checks.append((f"extra {extra}", "absent" if missing else "ok", detail))
    return checks


def _plugins() -> list[Check]:
    from mainspring.core import plugins

    registry = plugins.registry()
    failed, added = registry.failed, registry.added()
    return [
        (f"plugin {each.name}", "wrong", failed[each.name])
        if each.name in failed
        else (f"plugin {each.name}", "ok", f"{each.value}: {', '.join(added.get(each.name, ['nothing']))}")
        for each in plugins.installed()
    ]


def _models(context: typer.Context) -> list[Check]:
    from mainspring.core.settings import load
    from mainspring.engines.catalogue.pull import Puller

    settings = load(context.obj).settings
    puller = Puller(settings)
    checks = []
    for name in settings.local_models:
        try:
            checks.append((f"model {name}", "ok", str(puller.local(name).directory)))
        except ModelNotPulled as error:
            checks.append((f"model {name}", *_not_pulled(settings, name, str(error))))
        except MainspringError as error:
            checks.append((f"model {name}", "missing", str(error)))
    return [*checks, *_larger(settings), *_languages(settings), *_listwise(settings), *_prices(settings)]


def _not_pulled(settings: Settings, name: str, error: str) -> tuple[str, str]:
    """The state of a configured model that is not here, and what it would bring if all answers without it."""
    if name not in settings.models.dispensable:
        return "missing", error
    brings = {
        settings.models.near_misses: "it refuses questions that the passages found only seem to answer",
        settings.models.answers: "it chooses the sentences of answers",
    }
    return "absent", f"optional: {brings[name]}, which rules do without it. `mainspring models pull {name}` brings it"


def _larger(settings: Settings) -> list[Check]:
    """The larger chat model that `mainspring up` serves if the configuration names none."""
    from mainspring.engines.catalogue import larger_model

    try:
        choice = larger_model.choose(settings)
    except MainspringError as error:
        return [("larger model", "wrong", str(error))]
    if choice.reason:
        return [("larger model", "left out", choice.reason)]
    if choice.coming:
        return [("larger model", "coming", f"`mainspring up` pulls {choice.coming} behind what it serves")]
    served = set(choice.settings.models.chat) - set(settings.models.chat)
    return [("larger model", "ok", f"{name} is served beside the others") for name in sorted(served)]


def _languages(settings: Settings) -> list[Check]:
    """The languages of the embedding model."""
    from mainspring.engines.catalogue.entries import Catalogue
    from mainspring.rag.parse.language import EVERY, NAMES, remedy

    try:
        known = Catalogue.load(settings).get(settings.models.embedding).languages
    except MainspringError:
        # The check of the models reports this.
        return []
    if not known:
        return [("languages", "unknown", f"{settings.models.embedding} does not say which languages it knows")]
    if EVERY in known:
        return [("languages", "ok", f"{settings.models.embedding} knows many languages")]
    names = ", ".join(NAMES.get(code, code) for code in known)
    return [("languages", "ok", f"{settings.models.embedding} knows {names}; for other documents: {remedy()}")]


def _listwise(settings: Settings) -> list[Check]:
    """A warning if the model that reranks cannot be trusted with it."""
    from mainspring.engines.catalogue.pull import Puller

    name = settings.models.listwise
    if not name:
        return []
    remote = settings.models.remote.get(name)
    if remote.grounded if remote is not None else Puller(settings).grounded(name):
        return [("reranker", "ok", f"{name} ranks passages itself: {settings.rag.rerank_candidates} a question")]
    detail = f"{name} is not known to follow instructions: its order may be worse than none (models.reranker: late)"
    return [("reranker", "weak", detail)]


def _prices(settings: Settings) -> list[Check]:
    """Models without a known price."""
    from mainspring.cli.operate.costs import known_tariffs

    try:
        known = dict(known_tariffs(settings).known())
    except MainspringError as error:
        return [("prices", "wrong", str(error))]
    names = [*known, *settings.models.vllm]
    if unused := [name for name in settings.prices.models if name not in names]:
        close = difflib.get_close_matches(unused[0], names, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
        return [("prices", "unused", f"prices.models.{unused[0]} is the price of no model here; {hint}")]
    unpriced = [name for name, tariff in known.items() if not tariff.priced]
    if not unpriced:
        return [("prices", "ok", "every model has a price; `mainspring costs prices` shows them")]
    detail = f"nobody knows what {', '.join(unpriced)} costs: the ledger counts 0; set prices.models.{unpriced[0]}"
    return [("prices", "unpriced", detail)]


def _tls(context: typer.Context) -> list[Check]:
    """The fault of the certificate, or its expiry."""
    from mainspring.core.settings import load
    from mainspring.gateway.edge import tls

    gateway = load(context.obj).settings.gateway
    if verdict := tls.examined(gateway.tls):
        return [("tls", *verdict)]
    if gateway.host in ("127.0.0.1", "::1", "localhost"):
        return [("tls", "ok", "off: only this machine can connect")]
    detail = (
        f"off, and {gateway.host} may be reached from elsewhere: set gateway.tls, or put a proxy with TLS before it"
    )
    return [("tls", "off", detail)]


def _oidc(context: typer.Context) -> list[Check]:
    """Whether the keys of the identity provider can be had."""
    import asyncio

    from mainspring.core.settings import load

    gateway = load(context.obj).settings.gateway
    if not gateway.oidc.issuer:
        return []
    from mainspring.gateway.identity.oidc import Tokens

    try:
        count = asyncio.run(Tokens(gateway.oidc, gateway.roles).jwks.load())
    except MainspringError as error:
        return [("oidc", "wrong", str(error))]
    return [("oidc", "ok" if count else "wrong", f"{count} keys of {gateway.oidc.issuer} can check tokens")]


def _credentials(context: typer.Context) -> list[Check]:
    """Whether the credentials that the configuration names can be read."""
    import asyncio

    from mainspring.core.settings import load, references
    from mainspring.engines import filled

    settings = load(context.obj).settings
    named = references.credentials_in(settings)
    if not named:
        return []
    try:
        asyncio.run(filled(settings))
    except MainspringError as error:
        return [("credentials", "wrong", str(error))]
    return [("credentials", "ok", ", ".join(dict.fromkeys(named.values())))]


def _residency(context: typer.Context) -> list[Check]:
    """Whether tenants that ask for regions find any model there."""
    from mainspring.core.settings import load

    settings = load(context.obj).settings
    models, here = settings.models, settings.models.region
    places = {name: {here} for name in models.chat}
    places |= {name: {each.region for each in remote.endpoints()} for name, remote in models.remote.items()}
    places |= {name: {vllm.region or ("" if vllm.url else here)} for name, vllm in models.vllm.items()}
    checks = []
    for tenant, regions in settings.serving.residency.items():
        near = [name for name, where in places.items() if where & set(regions)]
        asked = f"{tenant} asks for {', '.join(regions)}"
        if not near:
            checks.append(("residency", "wrong", f"{asked}, where no chat model is: give endpoints a region"))
        elif here not in regions:
            detail = f"{asked}, and the embedding model is in {here or 'no region'}: it can search nothing"
            checks.append(("residency", "weak", detail))
        else:
            checks.append(("residency", "ok", f"{asked}: {', '.join(near)}"))
    return checks


def _home(context: typer.Context) -> list[Check]:
    from mainspring.core import private_files
    from mainspring.core.settings import load

    home = load(context.obj).settings.home
    if not private_files.readable_by_others(home):
        return []
    return [("home", "weak", f"others on this machine may look into it: chmod 700 {home}")]


def _disk(context: typer.Context) -> Check:
    from mainspring.core.settings import load

    home = load(context.obj).settings.home
    while not home.exists():
        home = home.parent
    free = shutil.disk_usage(home).free
    reserve = load(context.obj).settings.stores.disk_reserve_mb * 2**20
    if free < reserve:
        return "disk", "full", f"{free / 2**20:.0f} MiB free at {home}: nothing is added below stores.disk_reserve_mb"
    return "disk", "ok" if free > 2 * 2**30 else "low", f"{free / 2**30:.1f} GiB free at {home}"


def _processor() -> Check:
    flags = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            flags = next((line for line in info if line.startswith("flags")), "")
    except OSError:
        return "processor", "ok", f"{os.cpu_count()} cores"
    known = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {name} " in f"{flags} "]
    state = "ok" if known else "slow"
    return "processor", state, f"{os.cpu_count()} cores, {', '.join(known) or 'no AVX2: inference will be slow'}"
