"""The connections of the real connectors."""

from pathlib import Path

import pytest

from smalt.connectors.connections.fields import kind_of
from smalt.connectors.definitions.registry import connectors

PAGE = (Path(__file__).parents[4] / "docs" / "connections.md").read_text()
KINDS = [(connector, kind) for connector in connectors() for kind in connector.connections]
FIELDS = {
    "api_key": "Bearer sk-1",
    "resource_name": "pigments",
    "search_endpoint": "https://search.test",
    "search_api_key": "search-1",
    "organization_id": "org-1",
}


@pytest.mark.parametrize(("connector", "kind"), KINDS, ids=lambda one: one.name)
def test_the_page_tells_of_every_kind_and_its_fields(connector, kind):
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{connector.name}` | `{kind.name}`")]
    if not kind.is_deprecated:
        assert all(f"`{field.key}`" in row for field in kind.fields)


@pytest.mark.parametrize(("connector", "kind"), KINDS, ids=lambda one: one.name)
async def test_every_kind_leads_to_its_cloud_with_its_headers(add, connections, connector, kind):
    given = {field.key: FIELDS[field.key] for field in kind.fields if field.key in FIELDS}
    await add(connector, kind=kind.name, **given)
    target = await connections.target("mine", connector)
    if "azure" in connector.name:
        assert target.base_url == "https://pigments.openai.azure.com/openai"
    else:
        assert target.base_url == "https://api.openai.com/v1"
    if kind.token_scope:
        assert kind.token_scope == "https://cognitiveservices.azure.com/.default"
        assert target.extras == {}
    elif "azure" in connector.name:
        assert await target.headers() == {"api-key": "Bearer sk-1"}
        assert target.extras == {"search_endpoint": "https://search.test", "search_api_key": "search-1"}
    else:
        organization = {"OpenAI-Organization": "org-1"} if "fusion" in connector.name else {}
        assert await target.headers() == {"Authorization": "Bearer sk-1", **organization}
        assert target.extras == {}


def test_a_key_is_meant_when_no_kind_is_named():
    chosen = {connector.name: kind_of(connector, None).name for connector in connectors()}
    assert chosen == {
        "openai-gpt": "default",
        "azure-openai": "keyBasedAuth",
        "azure-openai-preview": "default",
        "fusion-openai": "default",
    }
