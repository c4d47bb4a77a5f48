"""How settings reach a command, and what is said when they are wrong."""

import os

import pytest
import typer

from smalt.cli.options import read_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for name in os.environ:
        if name.startswith("SMALT_"):
            monkeypatch.delenv(name)
    # Setting and deleting it lets monkeypatch restore what a command leaves behind.
    monkeypatch.setenv("SMALT_CONFIG", "")
    monkeypatch.delenv("SMALT_CONFIG")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "chosen.toml"
        path.write_text(text)
        return path

    return write


def refusal(capsys, *arguments, **overrides):
    with pytest.raises(typer.Exit) as ended:
        read_settings(*arguments, **overrides)
    assert ended.value.exit_code == 2
    return capsys.readouterr().err


def test_without_a_file_the_defaults_apply():
    assert read_settings().server.port == 8080


def test_the_file_is_found_in_the_working_folder(tmp_path):
    (tmp_path / "smalt.toml").write_text("[server]\nport = 1234")
    assert read_settings().server.port == 1234


def test_config_names_another_file_for_this_process_and_its_children(config):
    path = config("[server]\nport = 1234")
    assert read_settings(path).server.port == 1234
    assert os.environ["SMALT_CONFIG"] == str(path)


def test_options_win_over_the_environment_and_that_over_the_file(config, monkeypatch):
    path = config('[server]\nport = 1\nhost = "::1"\nworkers = 3')
    monkeypatch.setenv("SMALT_SERVER__PORT", "2")
    monkeypatch.setenv("SMALT_SERVER__HOST", "localhost")
    server = read_settings(path, server={"port": 3}).server
    assert (server.port, server.host, server.workers) == (3, "localhost", 3)


def test_a_file_that_is_not_there_is_refused(tmp_path, capsys):
    assert "no settings file" in refusal(capsys, tmp_path / "none.toml")


def test_a_file_of_the_environment_that_is_not_there_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("SMALT_CONFIG", "/nowhere/smalt.toml")
    assert "/nowhere/smalt.toml" in refusal(capsys)


def test_every_fault_is_a_line_with_its_field_and_value(config, capsys):
    said = refusal(capsys, config("[server]\nport = 99999\n[limits]\nbody_bytes = 'much'\n"))
    assert "server.port: Input should be less than or equal to 65535 (it is 99999)" in said
    assert "limits.body_bytes: Input should be a valid integer" in said
    assert "Traceback" not in said


def test_a_setting_nobody_knows_is_named(config, capsys):
    assert "server.prot: there is no such setting" in refusal(capsys, config("[server]\nprot = 1"))


def test_a_secret_is_not_repeated(config, capsys):
    said = refusal(capsys, config('[deployments.a]\nengine = "upstream"\napi_key = 12345'))
    assert "deployments.a.api_key" in said
    assert "12345" not in said


def test_a_file_that_is_no_toml_is_refused_with_the_place(config, capsys):
    said = refusal(capsys, config("[server\n"))
    assert "is not TOML" in said
    assert "line 1" in said


def test_a_rule_between_fields_is_explained(capsys):
    said = refusal(capsys, auth={"enabled": False}, server={"host": "0.0.0.0"})
    assert "auth.enabled = false needs a loopback address, not 0.0.0.0" in said


def test_a_variable_that_is_no_json_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("SMALT_DEPLOYMENTS", "{no")
    assert "deployments" in refusal(capsys)


def test_the_key_of_the_chat_command_is_no_setting(monkeypatch):
    monkeypatch.setenv("SMALT_API_KEY", "sk-smalt-x")
    assert read_settings().server.port == 8080
