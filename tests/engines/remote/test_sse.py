import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import UpstreamError
from mainspring.engines.remote import sse
from mainspring.engines.remote.sse import EventParser, ServerEvent

STREAM = (
    ': a comment\r\n\r\ndata: {"a": "é"}\r\n\r\nevent: error\ndata:one\ndata: two\n\n'
    "id: 7\nretry: 10\n\ndata\n\rdata: [DONE]\r\rdata: never finished"
).encode()
EVENTS = [
    ServerEvent("", '{"a": "é"}'),
    ServerEvent("error", "one\ntwo"),
    ServerEvent("", ""),
    ServerEvent("", "[DONE]"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_events_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    at = sorted({0, *cuts, len(STREAM)})
    parser = EventParser()
    events = [event for a, b in itertools.pairwise(at) for event in parser.feed(STREAM[a:b])]
    assert events == EVENTS


def test_a_byte_order_mark_is_skipped() -> None:
    assert list(EventParser().feed(b"\xef\xbb\xbfdata: a\n\n")) == [ServerEvent("", "a")]


@pytest.mark.parametrize("chunk", [b"x" * 100, b"data: " + b"x" * 92 + b"\n"])
def test_an_endless_event_is_refused(chunk: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    parser = EventParser()
    with pytest.raises(UpstreamError, match="longer"):
        list(itertools.chain.from_iterable(parser.feed(chunk) for _ in range(20)))
