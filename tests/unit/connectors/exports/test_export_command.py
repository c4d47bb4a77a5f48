"""`smalt connectors export`, as a maker writes what they import elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from smalt.cli.commands import app
from smalt.core.errors import InvalidRequest, NotFound

HERE = "https://smalt.example.com"


def told(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["connectors", "export", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_power_platform_gets_a_folder_for_each_connector(tmp_path: Path):
    result = told("power-platform", str(tmp_path / "out"), "--url", HERE)
    folders = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert folders == ["azure-openai", "azure-openai-preview", "fusion-openai", "openai-gpt"]
    folder = tmp_path / "out" / "openai-gpt"
    assert str(folder) in result.stdout
    assert sorted(each.name for each in folder.iterdir()) == [
        "apiDefinition.swagger.json",
        "apiProperties.json",
        "icon.png",
        "settings.json",
    ]
    document = json.loads((folder / "apiDefinition.swagger.json").read_text())
    assert (document["host"], document["basePath"]) == ("smalt.example.com", "/connectors/openai-gpt")
    assert not result.stderr


def test_an_address_of_this_machine_is_remarked_on(tmp_path: Path):
    assert "--url" in told("power-platform", str(tmp_path), "--connector", "openai-gpt").stderr
    assert not told("power-platform", str(tmp_path), "--connector", "openai-gpt", "--cloud").stderr
    document = json.loads((tmp_path / "openai-gpt" / "apiDefinition.swagger.json").read_text())
    assert (document["host"], document["basePath"]) == ("api.openai.com", "/v1")


def test_fusion_gets_its_own_connector_unless_others_are_named(tmp_path: Path):
    told("fusion", str(tmp_path), "--url", HERE)
    assert [each.name for each in tmp_path.iterdir()] == ["fusion-openai"]
    told("fusion", str(tmp_path), "--url", HERE, "--connector", "azure-openai")
    manifest = json.loads((tmp_path / "azure-openai" / "makecomapp.json").read_text())
    for module in manifest["components"]["module"].values():
        assert all((tmp_path / "azure-openai" / path).is_file() for path in module["codeFiles"].values())


def test_openapi_is_one_file(tmp_path: Path):
    told("openapi", str(tmp_path / "made"), "--url", HERE, "--connector", "openai-gpt")
    document = json.loads((tmp_path / "made" / "openapi.json").read_text())
    assert document["servers"] == [{"url": HERE}]


def test_a_wrong_name_or_address_is_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(NotFound, match="openai-gpt"):
        told("power-platform", str(tmp_path / "out"), "--connector", "openai-gbt")
    with pytest.raises(InvalidRequest, match="no address"):
        told("power-platform", str(tmp_path / "out"), "--url", "smalt")
    assert not (tmp_path / "out").exists()
