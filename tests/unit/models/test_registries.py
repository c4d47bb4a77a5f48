"""How pip and npm say where packages come from."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from smalt.core.errors import NotInstalled
from smalt.models.download import Fetcher, NotThere, Unreachable
from smalt.models.registries import Location, PythonIndexes, npm_tarball, python_indexes

FETCHER = Fetcher(timeout_seconds=5, tries=1, pause_seconds=0.01)
ARCHIVE = "tiny_part1-1.0-py3-none-any.whl"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which pip and npm have no settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}


def test_a_plain_pip_names_its_own_default(environ):
    found = python_indexes(environ)
    assert len(found.urls) == 1
    assert found.urls[0].startswith("https://")
    assert found.links == ()


def test_the_environment_is_heard(environ):
    found = python_indexes(
        {
            **environ,
            "PIP_INDEX_URL": "http://me:secret@127.0.0.1:1/simple",
            "PIP_EXTRA_INDEX_URL": "http://127.0.0.1:2/simple file:///opt/simple",
            "PIP_FIND_LINKS": "/opt/wheels",
            "PIP_CERT": "/etc/own.pem",
        }
    )
    assert found.urls == ("http://me:secret@127.0.0.1:1/simple", "http://127.0.0.1:2/simple", "file:///opt/simple")
    assert found.links == ("/opt/wheels",)
    assert found.cafile == "/etc/own.pem"


def test_the_file_of_pip_is_heard_and_the_environment_wins(environ, tmp_path):
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = http://127.0.0.1:1/global\n[download]\nindex-url = http://127.0.0.1:1/download\n"
    )
    environ["PIP_CONFIG_FILE"] = str(file)
    assert python_indexes(environ).urls == ("http://127.0.0.1:1/download",)
    environ["PIP_INDEX_URL"] = "http://127.0.0.1:1/environment"
    assert python_indexes(environ).urls == ("http://127.0.0.1:1/environment",)


def test_no_index_leaves_only_the_links(environ):
    found = python_indexes({**environ, "PIP_NO_INDEX": "1", "PIP_INDEX_URL": "http://127.0.0.1:1/"})
    assert found.urls == ()


def test_without_pip_the_environment_is_enough_and_else_the_advice_is_clear(environ, tmp_path):
    environ["PATH"] = str(tmp_path)
    python = str(tmp_path / "no-python")
    with pytest.raises(NotInstalled, match="python -m ensurepip"):
        python_indexes(environ, python)
    found = python_indexes({**environ, "UV_DEFAULT_INDEX": "http://127.0.0.1:1/uv"}, python)
    assert found.urls == ("http://127.0.0.1:1/uv",)


def test_a_python_with_pip_is_asked_even_when_it_is_not_ours(environ):
    assert python_indexes({**environ, "PIP_INDEX_URL": "http://127.0.0.1:1/"}, sys.executable).urls


@pytest.mark.parametrize("is_html", [False, True])
async def test_both_formats_of_an_index_are_read(index, is_html):
    index.is_html = is_html
    indexes = PythonIndexes((f"{index.url}/simple",))
    found = await asyncio.to_thread(indexes.find, "Tiny_Part1", ARCHIVE, FETCHER)
    assert found.url == f"{index.url}/files/tiny-part1/{ARCHIVE}"
    assert found.sha256 is not None
    assert found.path is None


async def test_an_index_with_a_login_gets_it_for_the_files_too(index):
    index.login = "Basic bWU6c2VjcmV0"
    indexes = PythonIndexes((index.url.replace("//", "//me:secret@") + "/simple/",))
    found = await asyncio.to_thread(indexes.find, "tiny-part1", ARCHIVE, FETCHER)
    assert found.url.startswith("http://me:secret@127.0.0.1")


async def test_the_next_index_is_asked_when_one_lacks_the_package(index):
    indexes = PythonIndexes((f"{index.url}/nothing", "http://127.0.0.1:9/", f"{index.url}/simple"))
    found = await asyncio.to_thread(indexes.find, "tiny-part1", ARCHIVE, FETCHER)
    assert found.url.startswith(index.url)


async def test_an_index_that_cannot_be_asked_is_worse_than_one_that_lacks_the_package(index):
    with pytest.raises(NotThere, match="asked"):
        await asyncio.to_thread(PythonIndexes((f"{index.url}/nothing",)).find, "tiny", ARCHIVE, FETCHER)
    indexes = PythonIndexes((f"{index.url}/nothing", "http://127.0.0.1:9/"))
    with pytest.raises(Unreachable):
        await asyncio.to_thread(indexes.find, "tiny", ARCHIVE, FETCHER)


def test_a_folder_of_wheels_needs_no_network(tmp_path):
    (tmp_path / ARCHIVE).write_bytes(b"wheel")
    for link in (str(tmp_path), tmp_path.as_uri()):
        assert PythonIndexes((), (link,)).find("tiny-part1", ARCHIVE, FETCHER).path == tmp_path / ARCHIVE


def test_an_index_on_disk_needs_no_network(tmp_path):
    folder = tmp_path / "simple" / "tiny-part1"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(f'<a href="../../files/{ARCHIVE}#sha256=ab">x</a>')
    found = PythonIndexes(((tmp_path / "simple").as_uri(),)).find("tiny-part1", ARCHIVE, FETCHER)
    assert found == Location((tmp_path / "files" / ARCHIVE).as_uri(), "ab")
    assert found.path == tmp_path / "files" / ARCHIVE


async def test_npm_is_found_by_environment_or_settings_file(index, environ, tmp_path):
    environ["PATH"] = str(tmp_path)
    with pytest.raises(NotInstalled, match="Install npm, or set NPM_CONFIG_REGISTRY"):
        npm_tarball("tiny-js", "1.0", FETCHER, environ)
    (tmp_path / ".npmrc").write_text(f"registry={index.url}/npm/\n")
    by_file = await asyncio.to_thread(npm_tarball, "tiny-js", "1.0", FETCHER, environ)
    environ["NPM_CONFIG_REGISTRY"] = f"{index.url}/npm"
    assert await asyncio.to_thread(npm_tarball, "tiny-js", "1.0", FETCHER, environ) == by_file
    assert by_file.url.endswith("/tiny-js-1.0.tgz")
