"""Every operation of the served document, fed with data that keeps its schemas and data that breaks them."""

import json
import urllib.request
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from smalt.cli.bench.servers import Server, smalt_server

load_all_checks()

MODEL = "echo"
EXAMPLES = 40


@pytest.fixture(scope="session")
def echo_server() -> Iterator[Server]:
    with smalt_server({MODEL: {"engine": "echo"}}) as server:
        yield server


@pytest.fixture(scope="session")
def stored_id(echo_server: Server) -> str:
    """A stored chat completion, so that reading one can succeed."""
    target = echo_server.target("/chat/completions")
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Keep this."}], "store": True}
    headers = {**target.headers, "Content-Type": "application/json"}
    request = urllib.request.Request(target.url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["id"]


@pytest.fixture(scope="session")
def document(echo_server: Server):
    target = echo_server.target("/openapi.json")
    config = SchemathesisConfig(seed=1)
    return schemathesis.openapi.from_url(target.url, config=config, headers=dict(target.headers))


operations = schemathesis.pytest.from_fixture("document")


def aim(case: schemathesis.Case, stored_id: str) -> None:
    """Let most requests reach what they are about: a name made at random would only ever be unknown."""
    if isinstance(case.body, dict) and isinstance(case.body.get("model"), str) and case.body["model"]:
        case.body["model"] = MODEL
    known = {"model": MODEL, "completion_id": stored_id}
    for name, value in (case.path_parameters or {}).items():
        if name in known and isinstance(value, str) and len(value) % 2:
            case.path_parameters[name] = known[name]


@operations.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
def test_an_operation_answers_as_its_document_says(case: schemathesis.Case, echo_server: Server, stored_id: str):
    aim(case, stored_id)
    # Smalt refuses by name what it does not serve yet, although the document knows the field.
    case.call_and_validate(
        headers=dict(echo_server.target("").headers), excluded_checks=[positive_data_acceptance], timeout=20
    )
