"""Where the key of stored secrets is kept: the system's keyring, or a file that only its owner may read."""

import base64
import logging
import os
import secrets
from binascii import Error as NotBase64
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from smalt.connectors.connections.cipher import KEY_BYTES, Cipher, SecretsUnreadable
from smalt.core.errors import InvalidRequest, NotInstalled, PermissionDenied
from smalt.core.settings import Settings

logger = logging.getLogger(__name__)

FILE_NAME = "connections.key"
KEYRING_SERVICE = "smalt"
KEYRING_USER = "connections"
KEYRING_EXTRA = "pip install 'smalt[keyring]'"
OTHERS = 0o077


class KeyPlace(Protocol):
    """Keeps one key."""

    def read(self) -> bytes | None:
        """The key; None when there is none, or it is out of reach."""
        ...

    def make(self) -> bytes | None:
        """The key, made when there is none; None when this place cannot keep one."""
        ...


class KeyFile:
    """A key in a file that nobody but its owner may read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """The key; a file that others may read is refused."""
        try:
            mode = self._path.stat().st_mode
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except PermissionError:
            raise PermissionDenied(
                f"The key file {self._path} may not be read by this user. Run as the user who added the connections."
            ) from None
        if os.name == "posix" and mode & OTHERS:
            raise PermissionDenied(
                f"The key file {self._path} may be read by others (its mode is {mode & 0o777:o}). Who can read it may "
                f"know every stored key. Close it with: chmod 600 {self._path}"
            )
        return _decoded(text, f"The key file {self._path}")

    def make(self) -> bytes | None:
        """The key, made when there is none."""
        found = self.read()
        if found is not None:
            return found
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_name(f"{FILE_NAME}.{secrets.token_hex(8)}")
        _write_private(draft, _encoded(secrets.token_bytes(KEY_BYTES)))
        try:
            # A link fails where a rename would replace: of two processes that begin at once, one makes the key.
            with suppress(FileExistsError):
                self._path.hardlink_to(draft)
        finally:
            draft.unlink()
        return self.read()


class Keyring:
    """A key in the system's keyring, through the package keyring; out of reach when anything is amiss with it."""

    def read(self) -> bytes | None:
        """The key of this user."""
        stored = self._ask("get_password", KEYRING_SERVICE, KEYRING_USER)
        return None if stored is None else _decoded(str(stored).encode(), "The key in the system's keyring")

    def make(self) -> bytes | None:
        """The key of this user, made when there is none; None when the keyring does not keep it."""
        found = self.read()
        if found is not None:
            return found
        made = _encoded(secrets.token_bytes(KEY_BYTES)).decode()
        self._ask("set_password", KEYRING_SERVICE, KEYRING_USER, made)
        # Some keyrings take everything and keep nothing.
        kept = self.read()
        if kept is None and _is_installed():
            logger.warning("the system's keyring cannot keep the key of stored secrets; a key file does, if allowed")
        return kept

    def _ask(self, question: str, *words: str) -> Any:
        try:
            return getattr(import_module("keyring"), question)(*words)
        except ImportError:
            return None
        except Exception as error:  # noqa: BLE001 - keyrings fail in ways of their own; one that fails is not used
            logger.debug("the keyring cannot be used", extra={"error": type(error).__name__})
            return None


class KeyPlaces:
    """Finds the cipher that fits: to open, wherever its key is; to seal, in the first place that can keep one."""

    def __init__(self, places: Sequence[KeyPlace], advice: str) -> None:
        self._places = places
        self._advice = advice

    def to_seal(self) -> Cipher:
        """The cipher for new secrets; a key that is there is taken before one is made."""
        for place in self._places:
            if (key := place.read()) is not None:
                return Cipher(key)
        # The other way round: a file is looked for first, and made last.
        for place in reversed(self._places):
            if (key := place.make()) is not None:
                return Cipher(key)
        raise NotInstalled(f"There is no place for the key that encrypts secrets. {self._advice}")

    def to_open(self, key_id: str, name: str) -> Cipher:
        """The cipher that sealed the secrets of the connection `name`."""
        for place in self._places:
            key = place.read()
            if key is not None and Cipher(key).key_id == key_id:
                return Cipher(key)
        raise SecretsUnreadable(
            f"The secrets of the connection '{name}' were encrypted with a key that is not here (its id is {key_id}). "
            f"{self._advice} When that key is lost, give the secrets again: smalt connections add {name} --replace"
        )


def key_places(settings: Settings) -> KeyPlaces:
    """The places that the settings allow."""
    file = settings.data_dir / FILE_NAME
    back = f"Put the key file back to {file}."
    match settings.connectors.secrets:
        case "file":
            return KeyPlaces([KeyFile(file)], back)
        case "keyring":
            unlock = f"Unlock the system's keyring{_if_missing()}"
            return KeyPlaces([Keyring()], f'{unlock}, or set connectors.secrets to "file".')
        case "auto":
            unlock = f"Or unlock the system's keyring, if it was there{_if_missing()}"
            return KeyPlaces([KeyFile(file), Keyring()], f"{back} {unlock}.")


def _is_installed() -> bool:
    """Whether there is a package keyring, which may still find no keyring that works."""
    return find_spec("keyring") is not None


def _if_missing() -> str:
    return "" if _is_installed() else f" (its Python package is missing: {KEYRING_EXTRA})"


def _encoded(key: bytes) -> bytes:
    return base64.b64encode(key) + b"\n"


def _decoded(text: bytes, what: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except NotBase64:
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidRequest(
            f"{what} is damaged: it is not {KEY_BYTES} bytes in base64. Put a copy of it back; without one, remove it "
            "and give the secrets again with: smalt connections add --replace"
        )
    return key


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
