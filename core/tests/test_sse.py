import itertools

from hypothesis import given
from hypothesis import strategies as st

from lynkr_core.sse import Reader, ServerSentEvent, event

STREAM = b': ping\n\nevent: a\r\ndata: 1\r\ndata: \xe4\xb8\xad\r\n\r\ndata:2\n\nid: 7\nretry: 1\n\ndata: {"x": "\\n"}\r\rdata: [DONE]\n\n'
EVENTS = [(b"a", b"1\n\xe4\xb8\xad"), (b"", b"2"), (b"", b'{"x": "\\n"}'), (b"", b"[DONE]")]


def read(*pieces: bytes) -> list[ServerSentEvent]:
    reader = Reader()
    found = [event for piece in pieces for event in reader.feed(piece)]
    return found + list(reader.close())


def test_events_comments_and_line_ends():
    assert read(STREAM) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_same_events_however_the_bytes_are_split(cuts):
    places = [0, *sorted(cuts), len(STREAM)]
    assert read(*[STREAM[a:b] for a, b in itertools.pairwise(places)]) == EVENTS


def test_an_event_without_an_empty_line_after_it_comes_at_the_end():
    assert read(b"data: 1\n\ndata: 2\n") == [(b"", b"1"), (b"", b"2")]


def test_half_an_event_is_none():
    assert read(b'data: 1\n\ndata: {"a": ') == [(b"", b"1")]
    reader = Reader()
    reader.feed(b"event: a\ndata: 1")
    assert (list(reader.close()), reader.half) == ([], b"data: 1")


def test_writing():
    assert event(b"{}") == b"data: {}\n\n"
    assert read(event(b"{}", b"ping")) == [(b"ping", b"{}")]
