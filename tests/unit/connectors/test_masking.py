"""Credentials are taken out of errors, and errors stay what they are."""

import orjson
import pytest

from smalt.connectors.exchange import Answer
from smalt.connectors.masking import masked, without_credentials


def left_of(content: bytes, key: str) -> bytes:
    return without_credentials(Answer(401, {}, content), {"authorization": f"Bearer {key}"}).content


@pytest.mark.parametrize("key", ["null", "error", "code", "1234"])
def test_an_error_can_be_read_whatever_the_key_is(key: str):
    error = {"error": {"message": f"Bad {key}.", "code": None, "number": 12345}}
    expected = {"error": {"message": "Bad ***.", "code": None, "number": 12345}}
    assert orjson.loads(left_of(orjson.dumps(error), key)) == expected


def test_a_key_is_found_however_json_writes_it():
    left = left_of(rb'{"errors": [{"message": "Bad abc\u002Bdef\/1."}]}', "abc+def/1")
    assert orjson.loads(left) == {"errors": [{"message": "Bad ***."}]}


@pytest.mark.parametrize("content", [b"Bad sk-1. \xff\x00", b"[" * 990 + b'"sk-1"' + b"]" * 990])
def test_what_is_no_plain_json_loses_the_key_and_nothing_else(content: bytes):
    assert left_of(content, "sk-1") == content.replace(b"sk-1", b"***")


def test_a_key_in_a_name_is_found_too():
    assert left_of(b'{"sk-1": "is bad"}', "sk-1") == b'{"***":"is bad"}'


def test_an_error_without_the_key_stays_byte_for_byte():
    assert left_of(b'{"error":  {"message": "Bad."}}', "sk-1") == b'{"error":  {"message": "Bad."}}'


def test_of_two_keys_of_which_one_begins_the_other_nothing_is_left():
    assert masked("Bad abcd1-efgh.", {"api-key": "abcd1", "search-key": "abcd1-efgh"}) == "Bad ***."
