import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import Response

from smalt.core.errors import Unavailable
from smalt.core.settings import AuthSettings
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.openid import KeySet, Tokens
from smalt.http.refusals import BadToken
from smalt.http.routing import Router

AUDIENCE = "https://cognitiveservices.azure.com"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def public(key: Any, kid: str, kind: Any) -> dict[str, Any]:
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


class Issuer:
    """An OpenID Connect issuer on the loopback."""

    def __init__(self) -> None:
        self.url = ""
        self.keys = [public(RSA, "rsa", jwt.algorithms.RSAAlgorithm), public(EC, "ec", jwt.algorithms.ECAlgorithm)]
        self.asked: list[str] = []
        self.is_down = False

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.is_down:
            return web.Response(status=503)
        if request.path.endswith("openid-configuration"):
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        return web.json_response({"keys": self.keys})

    def token(self, key: Any = RSA, kid: str = "rsa", algorithm: str = "RS256", **claims: Any) -> str:
        now = int(time.time())
        body = {"iss": self.url, "aud": AUDIENCE, "exp": now + 60, "nbf": now - 60, "oid": "user-1", "tid": "tenant-1"}
        body = {name: value for name, value in {**body, **claims}.items() if value is not None}
        return jwt.encode(body, key, algorithm, headers={"kid": kid} if kid else {})

    @property
    def settings(self) -> AuthSettings:
        return AuthSettings(issuer=self.url, audience=AUDIENCE)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    made = Issuer()
    app = web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_a_good_token_names_its_caller_and_its_tenant_is_the_project(issuer: Issuer) -> None:
    caller = await Tokens(issuer.settings).caller_of(issuer.token())
    assert (caller.key_id, caller.key_name, caller.project) == ("oidc:user-1", "user-1", "tenant-1")


async def test_both_kinds_of_keys_are_accepted(issuer: Issuer) -> None:
    caller = await Tokens(issuer.settings).caller_of(issuer.token(EC, "ec", "ES256", oid=None, sub="subject"))
    assert caller.key_id == "oidc:subject"


async def test_an_application_without_a_user_is_named_by_its_id(issuer: Issuer) -> None:
    caller = await Tokens(issuer.settings).caller_of(issuer.token(oid=None, appid="app-1", tid=None))
    assert (caller.key_id, caller.project) == ("oidc:app-1", "default")


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": int(time.time()) - 3600}, "expired"),
        ({"nbf": int(time.time()) + 3600}, "not valid yet"),
        ({"aud": "somebody-else"}, "audience is incorrect"),
        ({"iss": "https://evil.example"}, "issuer is incorrect"),
        ({"exp": None}, "needs the claims"),
        ({"aud": None}, "needs the claims"),
        ({"iss": None}, "needs the claims"),
        ({"oid": None}, "names no one"),
    ],
)
async def test_a_token_with_wrong_claims_is_refused(issuer: Issuer, claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadToken, match=reason):
        await Tokens(issuer.settings).caller_of(issuer.token(**claims))


async def test_a_token_signed_by_another_key_is_refused(issuer: Issuer) -> None:
    with pytest.raises(BadToken, match="signature"):
        await Tokens(issuer.settings).caller_of(issuer.token(OTHER_RSA))


async def test_only_two_algorithms_are_accepted(issuer: Issuer) -> None:
    tokens = Tokens(issuer.settings)
    for token in (
        issuer.token("a secret of thirty-two bytes or so", algorithm="HS256"),
        issuer.token(None, algorithm="none"),
        issuer.token(RSA, algorithm="PS256"),
        issuer.token(RSA, kid=""),
    ):
        with pytest.raises(BadToken, match="must be signed with"):
            await tokens.caller_of(token)


async def test_the_public_key_cannot_be_used_as_a_shared_secret(issuer: Issuer) -> None:
    header, _, _ = issuer.token().split(".")
    forged = jwt.utils.base64url_encode(json.dumps({"alg": "ES256", "kid": "rsa"}).encode()).decode()
    with pytest.raises(BadToken):
        await Tokens(issuer.settings).caller_of(issuer.token().replace(header, forged))


@pytest.mark.parametrize("token", ["a.b.c", "x..y", "e30.e30.e30"])
async def test_nonsense_is_refused(issuer: Issuer, token: str) -> None:
    with pytest.raises(BadToken):
        await Tokens(issuer.settings).caller_of(token)


async def test_keys_are_fetched_once_and_good_tokens_remembered(issuer: Issuer) -> None:
    tokens = Tokens(issuer.settings)
    for _ in range(3):
        await tokens.caller_of(issuer.token())
        await tokens.caller_of(issuer.token(oid="user-2"))
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_an_unknown_key_id_makes_it_ask_again_but_not_for_every_request(issuer: Issuer) -> None:
    tokens = Tokens(issuer.settings)
    await tokens.caller_of(issuer.token())
    for number in range(5):
        with pytest.raises(BadToken, match="none of the issuer's"):
            await tokens.caller_of(issuer.token(kid=f"new {number}"))
    assert issuer.asked.count("/keys") == 1


async def test_a_new_key_of_the_issuer_is_found_after_a_while(issuer: Issuer) -> None:
    tokens = Tokens(issuer.settings)
    await tokens.caller_of(issuer.token())
    issuer.keys.append(public(OTHER_RSA, "rolled", jwt.algorithms.RSAAlgorithm))
    tokens._keys._tried_at -= 120
    caller = await tokens.caller_of(issuer.token(OTHER_RSA, "rolled"))
    assert caller.key_name == "user-1"


async def test_an_issuer_that_is_down_is_a_503_and_old_keys_still_serve(issuer: Issuer) -> None:
    issuer.is_down = True
    with pytest.raises(Unavailable):
        await Tokens(issuer.settings).caller_of(issuer.token())
    issuer.is_down = False
    tokens = Tokens(issuer.settings)
    await tokens.caller_of(issuer.token())
    issuer.is_down = True
    tokens._keys._tried_at -= 4000
    tokens._keys._fetched_at -= 4000
    await tokens.caller_of(issuer.token(oid="user-3"))


async def test_a_discovery_document_of_another_issuer_is_not_believed(issuer: Issuer) -> None:
    settings = AuthSettings(issuer=f"{issuer.url}/tenant", audience=AUDIENCE)
    with pytest.raises(Unavailable):
        await Tokens(settings).caller_of(issuer.token())


async def test_the_key_set_may_be_named_in_the_settings(issuer: Issuer) -> None:
    settings = AuthSettings(issuer=issuer.url, audience=AUDIENCE, jwks_url=f"{issuer.url}/keys")
    await Tokens(settings).caller_of(issuer.token())
    assert issuer.asked == ["/keys"]


def test_an_issuer_elsewhere_must_be_reached_by_https() -> None:
    with pytest.raises(ValueError, match="https"):
        KeySet("http://issuer.example", None)


async def who(call: CurrentCall) -> Response:
    return Json({"key": call.caller.key_id})


async def test_an_app_with_an_issuer_takes_tokens_and_keys(run, issuer: Issuer) -> None:
    router = Router()
    router.get("/who")(who)
    running = await run(router, auth={"issuer": issuer.url, "audience": AUDIENCE})
    async with running.stranger() as stranger:
        good = await stranger.get("/v1/who", headers={"authorization": f"Bearer {issuer.token()}"})
        bad = await stranger.get("/openai/v1/who", headers={"authorization": f"Bearer {issuer.token(OTHER_RSA)}"})
    assert good.json() == {"key": "oidc:user-1"}
    assert (bad.status_code, bad.json()["statusCode"]) == (401, 401)
    assert (await running.client.get("/v1/who")).json()["key"].startswith("key_")
