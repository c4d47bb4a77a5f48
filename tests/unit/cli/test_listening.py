"""How the server gets its address, and what is said when it cannot."""

import socket

import pytest
import typer

from smalt.cli.claiming import claiming
from smalt.cli.listening import base_url, bind, listen, port_of
from smalt.cli.opening import make_data_dir


def test_port_zero_takes_a_free_one():
    with bind("127.0.0.1", 0) as bound:
        assert port_of(bound) > 0


def test_clients_can_connect_only_after_listening():
    with bind("127.0.0.1", 0) as bound:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(bound.getsockname())
        listen(bound, "127.0.0.1")
        socket.create_connection(bound.getsockname()).close()


def test_a_port_in_use_is_told_with_a_way_out(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(typer.Exit):
            bind("127.0.0.1", port)
    assert f"Port {port} on 127.0.0.1 is in use" in capsys.readouterr().err


def test_a_port_that_another_takes_before_we_listen_is_told_too(capsys):
    with bind("127.0.0.1", 0) as first, bind("127.0.0.1", port_of(first)) as second:
        listen(first, "127.0.0.1")
        with pytest.raises(typer.Exit):
            listen(second, "127.0.0.1")
    assert "is in use" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_of_another_machine_is_refused(host, capsys):
    with pytest.raises(typer.Exit):
        bind(host, 0)
    assert "is not an address of this machine" in capsys.readouterr().err


def test_an_address_is_shown_as_a_client_writes_it():
    assert base_url("0.0.0.0", 1) == "http://127.0.0.1:1"
    assert base_url("::", 1) == "http://[::1]:1"
    assert base_url("localhost", 1) == "http://localhost:1"


def test_two_servers_cannot_claim_one_folder(tmp_path, capsys):
    make_data_dir(tmp_path)
    with claiming(tmp_path, "http://127.0.0.1:8080"), pytest.raises(typer.Exit), claiming(tmp_path, "http://x"):
        pass
    said = capsys.readouterr().err
    assert "http://127.0.0.1:8080" in said
    assert "data_dir" in said


def test_a_folder_is_free_again_after_its_server(tmp_path):
    make_data_dir(tmp_path)
    for _ in range(2):
        with claiming(tmp_path, "http://127.0.0.1:8080"):
            pass


def test_the_data_folder_is_private(tmp_path):
    make_data_dir(tmp_path / "a" / "data")
    assert (tmp_path / "a" / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "data" / "run").stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(typer.Exit):
        make_data_dir(tmp_path / "file" / "data")
    assert "data_dir" in capsys.readouterr().err
