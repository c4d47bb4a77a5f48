"""Where the key of secrets is kept, with a package keyring that keeps passwords in a file, or cannot keep any."""

import base64
import json
import subprocess
import sys

import pytest

KEEPING = """
import json, pathlib
FILE = pathlib.Path(__file__).with_name("kept.json")
def _kept(): return json.loads(FILE.read_text()) if FILE.exists() else {}
def get_password(service, user): return _kept().get(f"{service}/{user}")
def set_password(service, user, password): FILE.write_text(json.dumps(_kept() | {f"{service}/{user}": password}))
"""
LOCKED = """
class KeyringLocked(Exception): ...
def get_password(service, user): raise KeyringLocked
def set_password(service, user, password): raise KeyringLocked
"""
FORGETFUL = """
def get_password(service, user): return None
def set_password(service, user, password): pass
"""
MISSING = "import sys; sys.modules['keyring'] = None"
SEAL = """
import sys
from smalt.connectors.connections.key_places import key_places
from smalt.core.errors import ApiError
from smalt.core.settings import Settings
places = key_places(Settings(data_dir=sys.argv[1], connectors={"secrets": sys.argv[2]}))
try:
    cipher = places.to_seal()
    print(cipher.key_id, places.to_open(cipher.key_id, "mine").key_id == cipher.key_id)
except ApiError as error:
    print(error.message)
"""


@pytest.fixture
def seal(tmp_path):
    """What becomes of a key in a process that has this package keyring, or none; what it warns of is in `warned`."""

    def seal(package, place="auto"):
        (tmp_path / "keyring.py").write_text(package or "")
        begin = f"sys.path.insert(0, {str(tmp_path)!r})" if package else MISSING
        command = [sys.executable, "-c", f"import sys; {begin}\n{SEAL}", str(tmp_path / "data"), place]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seal.warned = done.stderr
        return done.stdout.strip()

    return seal


def kept_in(tmp_path):
    file = tmp_path / "kept.json"
    return json.loads(file.read_text()) if file.exists() else {}


def test_a_keyring_that_works_keeps_the_key_and_no_file_is_made(seal, tmp_path):
    first = seal(KEEPING)
    assert first.endswith(" True")
    assert seal(KEEPING) == first
    assert len(base64.b64decode(kept_in(tmp_path)["smalt/connections"])) == 32
    assert not (tmp_path / "data" / "connections.key").exists()


@pytest.mark.parametrize("package", [LOCKED, FORGETFUL], ids=["locked", "forgetful"])
def test_without_a_keyring_that_works_the_key_is_in_a_file(seal, tmp_path, package):
    first = seal(package)
    assert first.endswith(" True")
    assert "the system's keyring cannot keep the key" in seal.warned
    assert seal(package) == first
    assert not seal.warned, "said once, when the file is made"
    assert (tmp_path / "data" / "connections.key").stat().st_mode & 0o777 == 0o600
    assert seal(KEEPING) == first, "a file that is there goes on being used"
    assert kept_in(tmp_path) == {}


def test_the_settings_may_insist_on_either(seal, tmp_path):
    assert seal(KEEPING, "file").endswith(" True")
    assert kept_in(tmp_path) == {}
    assert seal(KEEPING, "keyring").endswith(" True")
    assert list(kept_in(tmp_path)) == ["smalt/connections"]
    told = seal(LOCKED, "keyring")
    assert "no place for the key" in told
    assert "pip install" not in told


def test_without_the_package_the_key_is_in_a_file_and_who_insists_is_told_what_to_install(seal, tmp_path):
    assert seal(None).endswith(" True")
    assert not seal.warned
    assert (tmp_path / "data" / "connections.key").exists()
    told = seal(None, "keyring")
    assert "pip install 'smalt[keyring]'" in told
