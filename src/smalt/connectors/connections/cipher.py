"""Encrypts the secrets of connections, each bound to the connection that it belongs to."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

from smalt.core.errors import ApiError

NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32


class SecretsUnreadable(ApiError):
    """What is stored cannot be decrypted here (500)."""

    default_code = "secrets_unreadable"


@dataclass(frozen=True, slots=True)
class Sealed:
    """Encrypted secrets, and the name of the key that opens them."""

    ciphertext: bytes
    key_id: str


class Cipher:
    """Seals and opens secrets with one key (AES-256 in Galois/counter mode)."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key
        self.key_id: Final = sha256(b"smalt connections\0" + key).hexdigest()[:16]

    def seal(self, values: Mapping[str, str], context: Mapping[str, Any]) -> Sealed:
        """Encrypt values; they can be opened with an equal `context` only."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(self._key).encrypt(nonce, orjson.dumps(dict(values)), _bytes_of(context))
        return Sealed(nonce + sealed, self.key_id)

    def open(self, sealed: Sealed, context: Mapping[str, Any]) -> dict[str, str]:
        """Decrypt values; raises `SecretsUnreadable` when they, or their context, are not as they were sealed."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, rest = sealed.ciphertext[:NONCE_BYTES], sealed.ciphertext[NONCE_BYTES:]
        try:
            return orjson.loads(AESGCM(self._key).decrypt(nonce, rest, _bytes_of(context)))
        except (InvalidTag, ValueError):
            raise SecretsUnreadable(
                "The connection was changed in the database since its secrets were stored, so they are not used. "
                "Add it again with: smalt connections add --replace"
            ) from None


def _bytes_of(context: Mapping[str, Any]) -> bytes:
    return orjson.dumps(dict(context), option=orjson.OPT_SORT_KEYS)
