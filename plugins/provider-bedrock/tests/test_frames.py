from __future__ import annotations

from itertools import pairwise
from struct import pack
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from lynkr_core import UpstreamError
from lynkr_core.testing.eventstream import event, frame
from lynkr_provider_bedrock.frames import MAX_FRAME, Frames

TYPED = (
    b"\x01a\x00" b"\x01b\x01" b"\x01c\x02\x07" b"\x01d\x03\x00\x07" b"\x01e\x04\x00\x00\x00\x07" b"\x01f\x05\x00\x00\x00\x00\x00\x00\x00\x07"
    b"\x01g\x06\x00\x02\xff\x00" b"\x01h\x07\x00\x03\xc3\xa9!" b"\x01i\x08\x00\x00\x00\x00\x00\x00\x00\x07"
    b"\x01j\x09\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
)  # fmt: skip
"""A header of each type there is."""


def raw(block: bytes, payload: bytes = b"{}") -> bytes:
    prelude = pack(">II", 16 + len(block) + len(payload), len(block))
    whole = prelude + pack(">I", crc32(prelude)) + block + payload
    return whole + pack(">I", crc32(whole))


STREAM = event("messageStart", {"role": "assistant"}) + raw(TYPED) + raw(b"", b"") + frame(b"\xff" * 300, event_type="x" * 200)


def as_botocore(stream: bytes) -> list[tuple[dict[str, str], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return [({k: v for k, v in m.headers.items() if isinstance(v, str) and k != "j"}, m.payload) for m in buffer]


def test_frames_are_read_as_botocore_reads_them() -> None:
    found = [tuple(found) for found in Frames().feed(STREAM)]
    assert found == as_botocore(STREAM)
    assert found[1][0] == {"h": "é!"}


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_frames_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    frames = Frames()
    edges = [0, *sorted(cuts), len(STREAM)]
    found = [tuple(one) for begin, end in pairwise(edges) for one in frames.feed(STREAM[begin:end])]
    assert found == as_botocore(STREAM)
    assert not frames.torn


@given(st.binary(max_size=100), st.dictionaries(st.from_regex("[a-z]{1,9}", fullmatch=True), st.text(max_size=20), max_size=4))
def test_what_scripts_write_is_what_botocore_reads(payload: bytes, headers: dict[str, str]) -> None:
    (found,) = as_botocore(frame(payload, **headers))
    assert found == ({f":{name}": value for name, value in headers.items()}, payload)
    assert tuple(next(iter(Frames().feed(frame(payload, **headers))))) == found


def test_a_wrong_bit_anywhere_is_found() -> None:
    good = event("messageStart", {"role": "assistant"})
    for place in range(len(good)):
        frames = Frames()
        bad = good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :]
        with pytest.raises(UpstreamError):
            list(frames.feed(bad))


def test_frames_before_a_broken_one_are_given() -> None:
    frames = Frames()
    reading = frames.feed(raw(b"", b"one") + b"<html>" * 9)
    assert next(reading).payload == b"one"
    with pytest.raises(UpstreamError):
        next(reading)


@pytest.mark.parametrize(("total", "headers"), [(MAX_FRAME + 1, 0), (1 << 31, 0), (500_000, 200_000), (15, 0), (20, 8)])
def test_sizes_that_cannot_be_are_refused_before_anything_is_kept(total: int, headers: int) -> None:
    prelude = pack(">II", total, headers)
    with pytest.raises(UpstreamError) as caught:
        list(Frames().feed(prelude + pack(">I", crc32(prelude))))
    assert caught.value.kind == "server"


@pytest.mark.parametrize(
    "block", [b"\x05a", b"\x01a\x07", b"\x01a\x07\x00\x09x", b"\x01a\x0a\x00", b"\x01\xff\x07\x00\x00", b"\x01a\x05\x00"]
)
def test_headers_that_cannot_be_read_are_an_error(block: bytes) -> None:
    with pytest.raises(UpstreamError):
        list(Frames().feed(raw(block)))


def test_a_large_frame_in_small_pieces_is_put_together_once() -> None:
    payload = b"x" * 2_000_000
    stream = raw(b"", payload)
    frames = Frames()
    found = [one for at in range(0, len(stream), 1000) for one in frames.feed(stream[at : at + 1000])]
    assert [one.payload for one in found] == [payload]
