"""Connectors and actions are found by name."""

import subprocess
import sys

import pytest

from smalt.connectors.definitions.nested import fields_of
from smalt.connectors.definitions.registry import NAMES, action, connector, connectors
from smalt.connectors.definitions.rows import returned
from smalt.connectors.definitions.vocabulary import Definition, ReturnField
from smalt.core.errors import NotFound


def test_every_connector_is_found_by_its_own_name() -> None:
    assert [each.name for each in connectors()] == list(NAMES)
    assert all(connector(each.name) is each for each in connectors())


def test_every_action_is_found_by_its_own_name() -> None:
    for each in connectors():
        assert [action(each, one.name) for one in each.actions] == list(each.actions)


def test_an_unknown_connector_is_told_with_the_ones_there_are() -> None:
    with pytest.raises(NotFound) as refusal:
        connector("openai_gpt")

    assert refusal.value.param == "connector"
    assert "Did you mean 'openai-gpt'?" in refusal.value.message
    assert all(name in refusal.value.message for name in NAMES)


def test_no_other_module_passes_for_a_connector() -> None:
    for name in ("registry", "vocabulary", "", "../values", "os"):
        with pytest.raises(NotFound):
            connector(name)


def test_an_unknown_action_is_told_with_the_ones_there_are() -> None:
    with pytest.raises(NotFound) as refusal:
        action(connector("azure-openai"), "get_embeddings")

    assert refusal.value.param == "action"
    assert "Did you mean 'get_embedding'?" in refusal.value.message
    assert "create_extensions_chat_completion" in refusal.value.message


def test_a_definition_is_loaded_when_it_is_asked_for() -> None:
    code = (
        "import sys; from smalt.connectors.definitions import registry; registry.connector('openai-gpt');"
        "print(*sorted(m for m in sys.modules if m.startswith('smalt.connectors.definitions.')))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "openai_gpt" in done.stdout
    assert "azure" not in done.stdout
    assert "fusion" not in done.stdout


def test_nested_types_are_spelled_out_with_their_sources() -> None:
    moved = ReturnField(path="notes", title="notes", type="array of Note", source="hidden.notes + note")
    deep = ReturnField(path="first", title="first", type="string", source="text[0]")
    definitions = (
        Definition(name="Whole", fields=(*returned(("parts", "parts", "Parts")), moved)),
        Definition(name="Parts", type="array of Part"),
        Definition(name="Part", fields=(deep,)),
        Definition(name="Note", fields=returned(("kind", "kind", "Kind"))),
        Definition(name="Kind", type="string"),
    )

    found = [(field.path, field.type, field.source) for field in fields_of("Whole", definitions)]

    assert found == [
        ("parts", "array of object", ""),
        ("parts.first", "string", "parts.text[0]"),
        ("notes", "array of object", "hidden.notes + note"),
        ("notes.kind", "string", ""),
    ]
