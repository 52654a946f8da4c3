"""Prompts and tools that come again are read once, and nothing else is taken for them."""

import json

from msgspec import Raw

from lynkr_core.dialects import standing as module
from lynkr_core.dialects.anthropic_messages import AnthropicMessages
from lynkr_core.dialects.standing import standing
from lynkr_core.stores.recent import Recent


def tools(count, description="x" * 90):
    return [{"name": f"t{n}", "description": description, "input_schema": {"type": "object"}} for n in range(count)]


def body(**more):
    return json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more}).encode()


def test_what_comes_again_is_read_once(monkeypatch):
    monkeypatch.setattr(module, "_read", Recent(4, 100_000))
    read = []
    count = lambda raw: read.append(len(raw)) or len(read)  # noqa: E731
    long, other = b"[%b]" % (b" " * 2_000), b"[%b]" % (b"\n" * 2_000)
    assert [standing(count, Raw(text)) for text in (long, other, long, b"[]", b"[]", other)] == [1, 2, 1, 3, 4, 2]
    for size in range(2_000, 60_000, 1_000):
        standing(count, Raw(b"[%b]" % (b" " * size)))
    assert module._read._held <= 100_000
    assert len(module._read) <= 4


def test_each_reader_has_its_own(monkeypatch):
    monkeypatch.setattr(module, "_read", Recent(4))
    raw = Raw(b"[%b]" % (b" " * 2_000))
    told = [standing(read, raw) for read in (len, type, lambda raw: None, len)]
    assert told == [2_002, Raw, None, 2_002]
    assert len(module._read) == 2


def test_what_was_read_before_is_written_as_it_came():
    dialect = AnthropicMessages()
    for description in ("x" * 90, "z" * 90, "x" * 90):
        sent = body(tools=tools(20, description), system=[{"type": "text", "text": description * 20}])
        envelope = dialect.peek(sent)
        request = dialect.decode_request(envelope)
        assert request.system[0].text == description * 20
        fields = dialect.encode_request(request.edit(top_k=3), [])
        assert bytes(fields["tools"]) == bytes(envelope.fields["tools"])
        first = request.tools[0].edit(description="other")
        changed = dialect.encode_request(request.edit(tools=(first, *request.tools[1:])), [])
        assert json.loads(bytes(changed["tools"]))[0]["description"] == "other"
        assert dialect.decode_request(envelope).tools[0].description == description
