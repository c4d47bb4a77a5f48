"""A form is read part by part, however it arrives and whatever is in it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smalt.core.errors import InvalidRequest, TooLarge
from smalt.http.multipart import Form

BOUNDARY = b"b0unDary-7"
KIND = f"multipart/form-data; boundary={BOUNDARY.decode()}"

Read = list[tuple[str, str | None, bytes]]


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int = 7, kind: str = KIND) -> Read:
    found: Read = []
    async for part in Form(kind, pieces(body, size)).parts():
        found.append((part.name, part.filename, b"".join([chunk async for chunk in part.content])))
    return found


def form(*parts: tuple[bytes, bytes]) -> bytes:
    written = b"".join(b"--%s\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % (BOUNDARY, how, what) for how, what in parts)
    return written + b"--" + BOUNDARY + b"--\r\n"


CONTENTS = st.one_of(
    st.binary(max_size=200),
    # What looks like the end of a part, or nearly.
    st.lists(
        st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", BOUNDARY[:5], b"\r\n--" + BOUNDARY[:-1], b"x"])
    ).map(b"".join),
).filter(lambda content: b"\r\n--" + BOUNDARY not in b"\r\n" + content)


@settings(max_examples=300, deadline=None)
@given(st.lists(CONTENTS, max_size=5), st.integers(1, 60))
def test_every_byte_of_every_part_arrives(contents: list[bytes], size: int) -> None:
    body = form(*((b'form-data; name="n%d"' % number, content) for number, content in enumerate(contents)))
    found = asyncio.run(read(body, size))
    assert found == [(f"n{number}", None, content) for number, content in enumerate(contents)] if contents else True


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 60), st.integers(0, 120))
def test_rubbish_is_refused_and_nothing_else_happens(rubbish: bytes, size: int, cut: int) -> None:
    whole = form((b'form-data; name="file"; filename="a"', b"some content"))
    for body in (rubbish, whole[:cut] + rubbish, whole[:cut]):
        try:
            asyncio.run(read(body, size))
        except InvalidRequest:
            continue
        assert BOUNDARY + b"--" in body


def test_a_form_that_ends_early_is_refused_at_every_byte() -> None:
    whole = form((b'form-data; name="file"; filename="a"', b"some content"), (b'form-data; name="purpose"', b"batch"))
    last = whole.rindex(b"--")
    for end in range(last):
        with pytest.raises(InvalidRequest):
            asyncio.run(read(whole[:end]))


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('form-data; name="f"; filename="a b.txt"', "a b.txt"),
        ("form-data; name=f; filename=plain.txt", "plain.txt"),
        ('form-data; name="f"; filename="say %22hi%22.txt"', 'say "hi".txt'),
        (r'form-data; name="f"; filename="say \"hi\".txt"', 'say "hi".txt'),
        ('form-data; name="f"; filename="Grüße 北京.txt"', "Grüße 北京.txt"),
        ('form-data; name="f"; filename="?"; filename*=utf-8\'\'Gr%C3%BC%C3%9Fe.txt', "Grüße.txt"),
        ("form-data; name=\"f\"; filename*=UTF-8'de'Gr%C3%BC%C3%9Fe.txt", "Grüße.txt"),
        ('form-data; name="f"; filename="semi;colon.txt"', "semi;colon.txt"),
        ('form-data; name="f"; filename=""', ""),
        ('form-data; name="f"', None),
        ('form-data; name="f"; filename="x; filename*=utf-8\'\'y"', "x; filename*=utf-8''y"),
    ],
)
async def test_a_file_s_name_is_read_in_the_ways_that_clients_write_it(disposition: str, filename: str | None) -> None:
    assert await read(form((disposition.encode(), b"abc"))) == [("f", filename, b"abc")]


async def test_what_stands_around_a_form_is_passed_over() -> None:
    body = b"\r\n" + form((b'form-data; name="a"', b"1"))
    assert await read(body) == [("a", None, b"1")]
    assert await read(form((b'form-data; name="a"', b"1")) + b"an epilogue" * 100) == [("a", None, b"1")]


async def test_a_part_that_nobody_reads_is_skipped() -> None:
    body = form((b'form-data; name="a"', b"1" * 1000), (b'form-data; name="b"', b"2"))
    names = [part.name async for part in Form(KIND, pieces(body, 10)).parts()]
    assert names == ["a", "b"]


async def test_a_file_over_its_limit_is_refused_while_it_arrives() -> None:
    seen = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal seen
        yield form((b'form-data; name="f"; filename="a"', b""))[: -len(BOUNDARY) - 8]
        while True:
            seen += 1000
            yield b"x" * 1000

    parts = Form(KIND, endless()).parts()
    part = await anext(parts)
    with pytest.raises(TooLarge, match="Send less") as caught:
        async for _ in part.limited(50_000, advice="Send less."):
            pass
    assert caught.value.param == "f"
    assert seen < 53_000


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x", "a;b"])
async def test_a_body_of_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="multipart/form-data"):
        await read(b"", kind=kind)
