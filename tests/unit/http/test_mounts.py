from urllib.parse import quote

import httpx2
import pytest
from fastapi import Response

from smalt.http.answers import Json
from smalt.http.call import Call
from smalt.http.dependencies import CurrentCall
from smalt.http.mounts import require_served_version, understand
from smalt.http.refusals import MissingVersion, UnsupportedVersion
from smalt.http.routing import Router


def understood(url: str) -> tuple[Call, str]:
    parsed = httpx2.URL(f"http://smalt{url}")
    return understand({"method": "GET", "path": parsed.path, "raw_path": parsed.raw_path, "query_string": parsed.query})


@pytest.mark.parametrize(
    ("url", "mount", "deployment", "route"),
    [
        ("/openai/v1/chat/completions", "azure_v1", None, "/chat/completions"),
        ("/v1/models/x", "openai_v1", None, "/models/x"),
        ("/openai/deployments/gpt/embeddings?api-version=2024-10-21", "azure_classic", "gpt", "/embeddings"),
        ("/openai/files?api-version=2024-10-21", "azure_classic", None, "/files"),
        ("/chat/completions", "outside", None, "/chat/completions"),
        ("/openai/v1/openapi.json", "outside", None, "/openai/v1/openapi.json"),
        ("/openai/v1x/files", "azure_classic", None, "/v1x/files"),
        ("/v1", "outside", None, "/v1"),
        ("/connectors", "connectors", None, "/connectors"),
        ("/connectors/c/deployments/a%2Fb?api-version=x", "connectors", None, "/connectors/c/deployments/a%2Fb"),
        ("/connectorsx", "outside", None, "/connectorsx"),
    ],
)
def test_each_path_belongs_to_one_mount(url: str, mount: str, deployment: str | None, route: str) -> None:
    call, path = understood(url)
    assert (call.mount, call.deployment, path) == (mount, deployment, route)


@pytest.mark.parametrize(
    ("url", "deployment", "route"),
    [
        ("/openai/deployments/org%2Fmodel/chat/completions", "org/model", "/chat/completions"),
        ("/openai/deployments/my%20model/completions", "my model", "/completions"),
        ("/openai/deployments/alone", "alone", ""),
        ("/openai/deployments//chat/completions", "", "/chat/completions"),
    ],
)
def test_an_encoded_slash_belongs_to_the_name_of_the_deployment(url: str, deployment: str, route: str) -> None:
    call, path = understood(f"{url}?api-version=2024-10-21")
    assert (call.deployment, path) == (deployment, route)


@pytest.mark.parametrize("query", ["", "?api-version=preview", "?api-version=latest", "?api-version=v1"])
def test_the_v1_mount_takes_its_undated_versions(query: str) -> None:
    require_served_version(understood(f"/openai/v1/models{query}")[0])


@pytest.mark.parametrize("version", ["2024-10-21", "V1", "v2"])
def test_the_v1_mount_refuses_other_versions_by_name(version: str) -> None:
    with pytest.raises(UnsupportedVersion, match=version) as caught:
        require_served_version(understood(f"/openai/v1/models?api-version={version}")[0])
    assert caught.value.param == "api-version"


def test_the_openai_mount_does_not_look_at_versions() -> None:
    require_served_version(understood("/v1/models?api-version=nonsense")[0])


@pytest.mark.parametrize("version", ["2024-10-21", "2025-04-01-preview", "2023-05-15"])
def test_classic_paths_take_dated_versions(version: str) -> None:
    require_served_version(understood(f"/openai/models?api-version={version}")[0])


@pytest.mark.parametrize("query", ["", "?api-version=", "?other=1"])
def test_classic_paths_need_a_version(query: str) -> None:
    with pytest.raises(MissingVersion):
        require_served_version(understood(f"/openai/models{query}")[0])


@pytest.mark.parametrize("version", ["v1", "2024-13-01", "2024-10-21-beta", "2024-10-21\n", "20241021"])
def test_classic_paths_refuse_malformed_versions(version: str) -> None:
    with pytest.raises(UnsupportedVersion):
        require_served_version(understood(f"/openai/models?api-version={quote(version)}")[0])


async def where(call: CurrentCall) -> Response:
    return Json({"mount": call.mount, "deployment": call.deployment})


async def test_one_function_answers_on_every_mount(run) -> None:
    router = Router()
    router.get("/things")(where)
    running = await run(router)
    for url, mount in [
        ("/openai/v1/things", "azure_v1"),
        ("/v1/things", "openai_v1"),
        ("/openai/things?api-version=2024-10-21", "azure_classic"),
    ]:
        answer = await running.client.get(url)
        assert answer.json() == {"mount": mount, "deployment": None}


async def test_no_operation_is_served_without_its_mount(run) -> None:
    router = Router()
    router.get("/things")(where)
    running = await run(router)
    assert (await running.client.get("/things")).status_code == 404
    assert (await running.client.get("/openai/v1/v1/things")).status_code == 404


async def test_an_operation_of_deployments_is_under_them_on_classic_paths(run) -> None:
    router = Router()
    router.get("/embeddings", deployment=True)(where)
    running = await run(router)
    version = "?api-version=2024-10-21"
    assert (await running.client.get(f"/openai/deployments/x/embeddings{version}")).json()["deployment"] == "x"
    assert (await running.client.get(f"/openai/embeddings{version}")).status_code == 404
    assert (await running.client.get("/openai/v1/embeddings")).status_code == 200


async def test_other_operations_are_not_under_deployments(run) -> None:
    router = Router()
    router.get("/files")(where)
    running = await run(router)
    answer = await running.client.get("/openai/deployments/x/files?api-version=2024-10-21")
    assert answer.status_code == 404


async def test_an_operation_may_leave_mounts_out(run) -> None:
    router = Router()
    router.get("/edits", mounts={"openai_v1"})(where)
    running = await run(router)
    assert (await running.client.get("/v1/edits")).status_code == 200
    assert (await running.client.get("/openai/v1/edits")).status_code == 404


async def test_paths_of_the_server_are_on_no_mount(run) -> None:
    running = await run()
    assert (await running.client.get("/health")).status_code == 200
    assert (await running.client.get("/v1/health")).status_code == 404
    assert (await running.client.get("/openai/v1/metrics")).status_code == 404
