"""The wire of the search service: OData's paths, versions, and how it says no."""

from urllib.parse import unquote

import pytest

from smalt.core.errors import InvalidRequest, NotFound
from smalt.http.call import Call
from smalt.http.mounts import require_served_version, understand
from smalt.http.refusals import MissingKey, WrongKey
from smalt.http.search_service import envelope, headers, status_of


def call_to(path: str, query: str = "api-version=2024-07-01") -> tuple[Call, str]:
    raw = path.encode()
    scope = {"type": "http", "method": "GET", "path": unquote(path), "raw_path": raw, "query_string": query.encode()}
    return understand(scope)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/indexes", "/indexes"),
        ("/indexes/", "/indexes"),
        ("/indexes('a')", "/indexes/a"),
        ("/indexes('my%20store')/docs/search.post.search", "/indexes/my%20store/docs/search.post.search"),
        ("/indexes(%27a%27)/docs(%27file-1_0%27)", "/indexes/a/docs/file-1_0"),
        ("/indexes('a%2Fb')/docs/%24count", "/indexes/a%2Fb/docs/$count"),
        ("/indexes('it''s')/docs('k')", "/indexes/it%27s/docs/k"),
        ("/indexes/a/docs/search", "/indexes/a/docs/search"),
    ],
)
def test_odata_s_keys_become_segments(path: str, route: str):
    call, found = call_to(path)
    assert (call.mount, found) == ("search", route)


@pytest.mark.parametrize("path", ["/indexesque", "/v1/indexes", "/health"])
def test_other_paths_are_not_the_search_service_s(path: str):
    assert call_to(path)[0].mount != "search"


@pytest.mark.parametrize("version", ["2020-06-30", "2024-05-01-preview", "2025-11-01-Preview", "2026-04-01"])
def test_dated_versions_are_served(version: str):
    require_served_version(call_to("/indexes", f"api-version={version}")[0])


@pytest.mark.parametrize("query", ["", "api-version=", "api-version=v1", "api-version=2024-13-01"])
def test_other_versions_are_not(query: str):
    with pytest.raises(InvalidRequest, match="api-version"):
        require_served_version(call_to("/indexes", query)[0])


def test_a_wrong_key_is_forbidden_and_other_refusals_keep_their_status():
    assert [status_of(error) for error in (WrongKey("k"), MissingKey(), NotFound("gone"))] == [403, 401, 404]
    assert envelope(NotFound("gone")) == {"error": {"code": "", "message": "gone"}}


def test_the_client_s_own_id_comes_back():
    call = call_to("/indexes")[0]
    told = dict(headers(call, [(b"host", b"x"), (b"x-ms-client-request-id", b"mine")]))
    assert (told[b"client-request-id"], told[b"request-id"]) == (b"mine", call.request_id.encode())
    assert b"client-request-id" not in dict(headers(call, []))
