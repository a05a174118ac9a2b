"""Tokens of an identity provider: their owners, and every kind of invalid token."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from mainspring.core.errors import InvalidToken, SettingsError, Unauthenticated, Unavailable
from mainspring.core.scopes import OPERATE, SCOPES
from mainspring.core.settings import GatewaySettings, load
from mainspring.core.settings.identity import OidcSettings, Roles, roles
from mainspring.core.types import Finish, Principal, Text, TraceParent
from mainspring.gateway.edge.app import create_app
from mainspring.gateway.identity import jwks as jwks_module
from mainspring.gateway.identity.jwks import Jwks
from mainspring.gateway.identity.oidc import Tokens, TokensOrKeys
from mainspring.gateway.routes.generate import router
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from tests.gateway.asgi import Kept, NoModels, ask
from tests.serving.house import Recited

ISSUER = "https://id.example.com/realm"
OURS = "mainspring"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def public(key: Any, kid: str, **more: str) -> dict[str, Any]:
    made: Any = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}.get(
        next((kind for kind in (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey) if isinstance(key, kind)), object),
        OKPAlgorithm,
    )
    return {**json.loads(made.to_jwk(key.public_key())), "kid": kid, "use": "sig", **more}


KEYS = {"keys": [public(RSA, "r1"), public(EC, "e1"), public(ED, "d1"), public(WEAK, "w1")]}
PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    found = {"iss": ISSUER, "aud": OURS, "sub": "ada", "iat": now, "exp": now + 300, "roles": ["user"], **changes}
    return {name: value for name, value in found.items() if value is not None}


def token(key: Any = RSA, algorithm: str = "RS256", kid: str | None = "r1", **changes: Any) -> str:
    headers = changes.pop("headers", {})
    if kid is not None:
        headers = {"kid": kid, **headers}
    return str(jwt.encode(claims(**changes), key, algorithm, headers=headers))


def part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Provider:
    """Answers for addresses; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.keys: Any = KEYS
        self.about: Any = {"issuer": ISSUER, "jwks_uri": "https://id.example.com/keys"}
        self.away = False

    async def __call__(self, url: str) -> Any:
        self.asked.append(url)
        await asyncio.sleep(0)
        if self.away:
            raise OSError("connection refused")
        return self.about if url.endswith("openid-configuration") else self.keys


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def checking(provider: Provider | None = None, clock: Clock | None = None, **settings: Any) -> Tokens:
    chosen = OidcSettings.model_validate(
        {"issuer": ISSUER, "audience": [OURS], "algorithms": ["RS256", "PS256", "ES256", "EdDSA"], **settings}
    )
    known: Roles = {**roles(), "operator": ("admin", OPERATE)}
    return Tokens(chosen, known, Jwks(chosen, provider or Provider(), clock or Clock()))


async def refused(tokens: Tokens, text: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        await tokens.authenticate(text)
    assert caught.value.status == 401
    assert text[:40] not in str(caught.value)
    return caught.value.message


async def test_a_good_token_is_a_principal() -> None:
    tokens = checking(tenant_claim="org", regions_claim="geo")
    found = await tokens.authenticate(token(org="acme", groups=["research", "sales"], geo="eu"))
    assert (found.tenant, *map(sorted, (found.scopes, found.groups))) == (
        *("acme", ["chat", "embed"], ["research", "sales"]),
    )
    assert found.reach.regions == {"eu"}
    assert found.key_id.startswith("oidc_")
    assert "ada" not in found.key_id
    # The same subject is the same one tomorrow, another is another.
    assert (await tokens.authenticate(token(org="acme"))).key_id == found.key_id
    assert (await tokens.authenticate(token(org="acme", sub="bob"))).key_id != found.key_id


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(RSA, "RS256", "r1"), (RSA, "PS256", "r1"), (EC, "ES256", "e1"), (ED, "EdDSA", "d1")]
)
async def test_every_allowed_algorithm_is_read(key: Any, algorithm: str, kid: str) -> None:
    assert (await checking().authenticate(token(key, algorithm, kid))).scopes == {"chat", "embed"}


async def test_roles_are_sets_of_scopes() -> None:
    tokens = checking(roles_claim="realm_access.roles")
    for named, scopes in (
        (["editor"], {"chat", "embed", "ingest"}),
        (["admin"], set(SCOPES) - {OPERATE}),
        (["operator"], SCOPES),
        (["reader", "nothing of ours"], {"chat"}),
        ([], frozenset[str]()),
    ):
        assert (await tokens.authenticate(token(realm_access={"roles": named}))).scopes == frozenset(scopes)
    assert (await checking(default_roles=["reader"]).authenticate(token(roles=None))).scopes == {"chat"}
    assert (await checking().authenticate(token(roles="editor"))).scopes == {"chat", "embed", "ingest"}
    # A name that holds dots is looked up as it stands.
    dotted = checking(roles_claim="https://example.com/roles")
    held: dict[str, Any] = {"https://example.com/roles": ["reader"]}
    assert (await dotted.authenticate(token(**held))).scopes == {"chat"}


def unsigned(algorithm: str) -> str:
    return f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': 'r1'})}.{part(claims(roles=['admin']))}."


def confused(secret: bytes) -> str:
    """Signed with the public key as if it were a shared secret."""
    head = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'r1'})}.{part(claims())}"
    signature = hmac.new(secret, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_who_signs_nothing_or_with_what_is_public_is_refused() -> None:
    tokens = checking()
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        assert "is not signed by one of" in await refused(tokens, unsigned(algorithm))
    assert "signature" in await refused(tokens, unsigned("RS256"))
    for secret in (PEM, json.dumps(public(RSA, "r1")).encode(), b""):
        assert "is not signed by one of" in await refused(tokens, confused(secret))
    # A provider that publishes a shared secret does not make it one of ours.
    provider = Provider()
    provider.keys = {"keys": [{"kty": "oct", "kid": "r1", "k": base64.urlsafe_b64encode(PEM).decode()}]}
    assert "no key of" in await refused(checking(provider), token())


async def test_what_is_altered_or_signed_by_others_is_refused() -> None:
    tokens = checking()
    head, body, signature = token().split(".")
    forged = part(claims(roles=["admin"]))
    for text in (f"{head}.{forged}.{signature}", f"{head}.{body}.", f"{head}.{body}.{signature[:-8]}AAAAAAAA"):
        assert "signature" in await refused(tokens, text)
    assert "signature" in await refused(tokens, token(OTHER))
    assert "no key of" in await refused(tokens, token(OTHER, kid="unknown"))
    # The key that came with the token is nobody's.
    assert "no key of" in await refused(tokens, token(OTHER, kid="x", headers={"jwk": public(OTHER, "x")}))
    # A key is for its own algorithm.
    assert "no key of" in await refused(tokens, token(RSA, kid="e1"))
    assert "no key of" in await refused(tokens, token(WEAK, kid="w1"))
    only = checking(algorithms=["ES256"])
    assert "is not signed by one of ES256" in await refused(only, token())


async def test_times_are_kept() -> None:
    tokens, now = checking(leeway_s=10), int(time.time())
    assert await refused(tokens, token(exp=now - 60)) == "the token has expired"
    assert await refused(tokens, token(nbf=now + 60)) == "the token is not valid yet"
    assert await refused(tokens, token(iat=now + 60)) == "the token is not valid yet"
    await tokens.authenticate(token(exp=now - 5))
    await tokens.authenticate(token(nbf=now + 5))
    assert "lacks the claim exp" in await refused(tokens, token(exp=None))
    assert "form" in await refused(tokens, token(exp="tomorrow"))


async def test_who_it_is_for_and_from_is_kept() -> None:
    tokens = checking()
    assert "another audience" in await refused(tokens, token(aud="billing"))
    assert "another audience" in await refused(tokens, token(aud=["billing", "mail"]))
    assert "lacks the claim aud" in await refused(tokens, token(aud=None))
    assert "another issuer" in await refused(tokens, token(iss="https://evil.example.com"))
    assert "another issuer" in await refused(tokens, token(iss=f"{ISSUER}/"))
    await tokens.authenticate(token(aud=["billing", OURS]))


async def test_claims_that_are_nonsense_are_refused() -> None:
    tokens = checking(tenant_claim="org")
    changes: dict[str, Any]
    for changes in ({}, {"org": ["a", "b"]}, {"org": 5}, {"org": ""}, {"org": {"a": 1}}, {"org": "a\x1fb"}):
        assert "claim org" in await refused(tokens, token(**changes))
    plain = checking()
    for groups in ("a\x1fb", ["\x1fonly\x1fplans"], [5], {"a": 1}, [""], ["x" * 65], ["g"] * 300):
        assert "claim groups" in await refused(plain, token(groups=groups))
    for changes in ({"sub": None}, {"sub": ""}, {"sub": 5}):
        await refused(plain, token(**changes))


async def test_what_is_no_token_is_refused() -> None:
    tokens = checking(max_token_bytes=4000)
    for text in ("a.b.c", "..", "e30.e30.e30", f"{part({'alg': 5})}.e30.e30", "x" * 100):
        await refused(tokens, text)
    assert "longer than 4000" in await refused(tokens, token(padding="x" * 4000))
    for headers in ({"crit": ["exp"]}, {"typ": "logout+jwt"}, {"typ": 5}):
        # The library refuses some of them by itself.
        await refused(tokens, token(headers=headers))
    await tokens.authenticate(token(headers={"typ": "at+jwt"}))


async def test_a_token_without_a_key_id_needs_one_fitting_key() -> None:
    provider = Provider()
    provider.keys = {"keys": [public(RSA, "r1"), public(EC, "e1")]}
    await checking(provider).authenticate(token(kid=None))
    provider.keys = {"keys": [public(RSA, "r1"), public(OTHER, "r2")]}
    assert "no key of" in await refused(checking(provider), token(kid=None))


# --- the provider's keys ------------------------------------------------------------------------------------------


async def test_keys_are_found_through_the_issuer_and_asked_for_once() -> None:
    provider = Provider()
    tokens = checking(provider)
    await asyncio.gather(*(tokens.authenticate(token()) for _ in range(20)))
    assert provider.asked == [f"{ISSUER}/.well-known/openid-configuration", "https://id.example.com/keys"]
    named = Provider()
    await checking(named, jwks_url="https://id.example.com/k").authenticate(token())
    assert named.asked == ["https://id.example.com/k"]


async def test_new_keys_are_asked_for_but_not_for_every_nonsense() -> None:
    provider, clock = Provider(), Clock()
    tokens = checking(provider, clock, jwks_url="https://id.example.com/k")
    await tokens.authenticate(token())
    clock.now += 60
    provider.keys = {"keys": [public(OTHER, "r2")]}
    await tokens.authenticate(token(OTHER, kid="r2"))
    assert len(provider.asked) == 2
    # What was withdrawn counts no more.
    assert "no key of" in await refused(tokens, token())
    for number in range(50):
        await refused(tokens, token(OTHER, kid=f"nonsense-{number}"))
    assert len(provider.asked) == 2
    clock.now += 60
    await refused(tokens, token(OTHER, kid="nonsense"))
    assert len(provider.asked) == 3


async def test_old_keys_are_renewed_beside_the_requests() -> None:
    provider, clock = Provider(), Clock()
    tokens = checking(provider, clock, jwks_url="https://id.example.com/k", refresh_s=100)
    await tokens.authenticate(token())
    clock.now += 101
    await tokens.authenticate(token())
    await asyncio.sleep(0.01)
    assert len(provider.asked) == 2


async def test_a_provider_that_is_away_is_survived_for_a_while() -> None:
    provider, clock = Provider(), Clock()
    tokens = checking(provider, clock, jwks_url="https://id.example.com/k", refresh_s=100, outage_s=1000)
    await tokens.authenticate(token())
    provider.away = True
    clock.now += 1000
    await tokens.authenticate(token())
    await asyncio.sleep(0.01)
    clock.now += 200
    with pytest.raises(Unavailable, match="connection refused") as caught:
        await tokens.authenticate(token())
    assert caught.value.status == 503
    assert caught.value.retry_after
    provider.away = False
    clock.now += 60
    await tokens.authenticate(token())


@pytest.mark.parametrize(
    "answer", [None, [], {"keys": 5}, {"keys": [5, {}, {"kty": "RSA", "kid": "r1", "n": "!", "e": "!"}]}]
)
async def test_a_provider_that_answers_nonsense_lets_nobody_in(answer: Any) -> None:
    provider = Provider()
    provider.keys = answer
    with pytest.raises((Unavailable, InvalidToken)):
        await checking(provider, jwks_url="https://id.example.com/k").authenticate(token())


async def test_an_issuer_that_speaks_for_another_is_not_believed() -> None:
    provider = Provider()
    about: Any
    for about in ({"issuer": "https://evil.example.com", "jwks_uri": "https://x"}, {"issuer": ISSUER}, []):
        provider.about = about
        with pytest.raises(Unavailable):
            await checking(provider).authenticate(token())
    provider.about = {"issuer": ISSUER, "jwks_uri": "http://id.example.com/keys"}
    with pytest.raises(Unavailable, match="is not https"):
        await checking(provider).authenticate(token())


async def test_keys_may_lie_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(KEYS))
    clock = Clock()
    tokens = checking(None, clock, jwks_file=path)
    await tokens.authenticate(token())
    path.write_text(json.dumps({"keys": [public(OTHER, "r2")]}))
    clock.now += 60
    await tokens.authenticate(token(OTHER, kid="r2"))


async def test_what_is_fetched_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1]
        if path == b"/moved":
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n")
        elif path == b"/large":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b" " * 3_000_000)
        elif path == b"/keys":
            body = json.dumps(KEYS).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        else:
            await asyncio.sleep(5)
        writer.close()

    monkeypatch.setattr(jwks_module, "TIMEOUT_S", 0.3)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert await jwks_module.fetched(f"{url}/keys") == KEYS
    for path, said in (("/moved", "answered 302"), ("/large", "longer than")):
        with pytest.raises(ValueError, match=said):
            await jwks_module.fetched(url + path)
    with pytest.raises((OSError, TimeoutError)):
        await jwks_module.fetched(f"{url}/slow")
    server.close()


# --- in front of the gateway --------------------------------------------------------------------------------------


class NoKeys:
    async def authenticate(self, secret: str) -> Principal:
        raise Unauthenticated("the API key is unknown")


async def test_the_gateway_takes_tokens_and_says_what_is_wrong_with_one() -> None:
    settings = GatewaySettings()
    access = access_to(TokensOrKeys(NoKeys(), checking()), 30.0)
    routes = router(Recited(Text("Hello"), Finish("stop")), NoModels(), settings, access, Idempotency(Kept()))  # type: ignore[arg-type]
    app = create_app([routes], settings, lambda _: TraceParent.new())

    async def sent(text: str) -> Any:
        return await ask(app, "POST", "/v1/chat/completions", CHAT, headers={"authorization": f"Bearer {text}"})

    assert (await sent(token())).status == 200
    reply = await sent(token(exp=5))
    assert (reply.status, reply.error["code"]) == (401, "invalid_token")
    assert reply.headers["www-authenticate"] == [
        'Bearer error="invalid_token", error_description="the token has expired"'
    ]
    reply = await sent(token(roles=[]))
    assert (reply.status, reply.error["code"]) == (403, "insufficient_scope")
    assert "this token lacks the scope" in reply.error["message"]
    assert (await sent("ms-unknown")).error["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"issuer": ISSUER}, "needs an audience"),
        ({"issuer": "http://id.example.com", "audience": ["x"]}, "must be https"),
        ({"issuer": ISSUER, "audience": ["x"], "jwks_url": "http://a.b/c"}, "must be https"),
        ({"issuer": ISSUER, "audience": ["x"], "algorithms": ["HS256"]}, "algorithms"),
        ({"issuer": ISSUER, "audience": ["x"], "algorithms": ["none"]}, "algorithms"),
        ({"issuer": ISSUER, "audience": ["x"], "default_roles": ["boss"]}, "gateway.roles does not"),
        ({"issuer": ISSUER, "audience": ["x"], "default_roles": ["operator"]}, "for all tenants"),
        ({"issuer": ISSUER, "audience": ["x"], "jwks_url": "https://a/b", "jwks_file": "/x"}, "set only one"),
    ],
)
def test_settings_that_would_let_others_in_are_refused(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "mainspring.yaml"
    named = {"operator": ["admin", "operate"], "reader": ["chat"]}
    path.write_text(json.dumps({"gateway": {"oidc": settings, "roles": named}}))
    with pytest.raises(SettingsError, match=said):
        load(path, {})
