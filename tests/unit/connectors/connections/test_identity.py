"""Managed identity, through azure-identity and a stand-in for the endpoint that an App Service has for tokens."""

import time

import pytest
from aiohttp import web

from loopback import web_service
from smalt.core.errors import AuthenticationFailed

SCOPE = "https://cognitiveservices.azure.com"


@pytest.fixture
def identity_service(monkeypatch):
    """What the token endpoint was asked; `seconds` is how long its tokens hold."""
    asked = []
    service = {"asked": asked, "seconds": 3600, "status": 200}

    async def answer(request):
        asked.append((request.path, dict(request.query), request.headers.get("X-IDENTITY-HEADER")))
        if service["status"] != 200:
            return web.json_response({"message": "No identity is assigned"}, status=service["status"])
        ends = str(int(time.time()) + service["seconds"])
        token = {"access_token": f"token-{len(asked)}", "expires_on": ends, "token_type": "Bearer", "resource": SCOPE}
        return web.json_response(token)

    with web_service(answer) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "app-service-secret")
        for name in ("IMDS_ENDPOINT", "IDENTITY_SERVER_THUMBPRINT", "MSI_ENDPOINT", "AZURE_CLIENT_ID"):
            monkeypatch.delenv(name, raising=False)
        yield service


async def target_of(add, connections, azure, **given):
    await add(azure, kind="identity", resource="pigments", **given)
    return await connections.target("mine", azure)


async def test_calls_are_signed_with_a_token_that_is_asked_for_once(add, connections, azure, identity_service):
    target = await target_of(add, connections, azure)
    assert [await target.headers() for _ in range(3)] == [{"Authorization": "Bearer token-1"}] * 3
    [(path, query, header)] = identity_service["asked"]
    assert (path, query["resource"], header) == ("/msi/token", SCOPE, "app-service-secret")
    assert not {"client_id", "mi_res_id", "clientid"} & set(query)
    assert (await connections.get("mine")).fields == {"identity": "system", "resource": "pigments"}
    assert target.extras == {}


async def test_a_token_that_is_about_to_end_is_replaced(add, connections, azure, identity_service):
    identity_service["seconds"] = 200
    target = await target_of(add, connections, azure)
    assert [(await target.headers())["Authorization"] for _ in range(2)] == ["Bearer token-1", "Bearer token-2"]


async def test_an_assigned_identity_is_asked_for_by_its_client_id(add, connections, azure, identity_service):
    target = await target_of(add, connections, azure, identity="0b5e4b1e-1111-4222-8333-444455556666")
    await target.headers()
    assert identity_service["asked"][0][1]["client_id"] == "0b5e4b1e-1111-4222-8333-444455556666"


async def test_an_assigned_identity_may_be_named_by_its_resource_id(add, connections, azure, identity_service):
    resource_id = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
    target = await target_of(add, connections, azure, identity=resource_id)
    await target.headers()
    assert resource_id in identity_service["asked"][0][1].values()


async def test_without_an_identity_the_error_says_so(add, connections, azure, identity_service):
    identity_service["status"] = 400
    target = await target_of(add, connections, azure)
    with pytest.raises(AuthenticationFailed, match=r"managed identity gave no token .* connection with a key"):
        await target.headers()
