"""A stream of events is read the same, however its bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smalt.core.errors import UpstreamFailed
from smalt.engines.upstream import server_sent_events
from smalt.engines.upstream.server_sent_events import EventDecoder


def read(*pieces: bytes) -> list[bytes]:
    decoder = EventDecoder()
    return [data for piece in pieces for data in decoder.feed(piece)] + decoder.close()


@pytest.mark.parametrize(
    ("sent", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b": a comment\n\ndata:a\n\n\n\n", [b"a"]),
        (b"event: message\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a", [b"a"]),
        (b"", []),
    ],
)
def test_what_events_hold(sent: bytes, events: list[bytes]):
    assert read(sent) == events


@given(
    st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1), min_size=1),
    st.data(),
)
def test_the_pieces_that_bytes_arrive_in_do_not_matter(texts: list[str], data: st.DataObject):
    sent = b"".join(f"data: {text}\r\n\r\n".encode() for text in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert [event.decode() for event in read(*pieces)] == texts


def test_an_event_without_an_end_is_not_kept_for_ever():
    decoder = EventDecoder()
    half = b"x" * (server_sent_events.LONGEST_EVENT_BYTES // 2)
    assert decoder.feed(half) + decoder.feed(half) == []
    with pytest.raises(UpstreamFailed, match="one event of over"):
        decoder.feed(half)
