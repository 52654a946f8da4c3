"""The suite for providers that answer by themselves passes for a parrot and fails for broken ones."""

import pytest

SUITE = """
from typing import get_args
import anyio, msgspec
from lynkr_core.errors import AllFailed, Kind, UpstreamError
from lynkr_core.provider import Provider
from lynkr_core.request import Choice, Response, Text, ToolCall
from lynkr_core.upstream import UpstreamResponse
from lynkr_core.testing.contracts.offline import OfflineProviderContract

class Line(UpstreamResponse):
    headers = {}
    def __init__(self, status, pieces, every=0.0):
        self.status, self.pieces, self.every, self.gone = status, iter(pieces), every, anyio.Event()
    async def response(self):
        return await self.pause(self.every) or self
    async def pause(self, seconds):
        with anyio.move_on_after(seconds):
            await self.gone.wait()
        if self.gone.is_set():
            raise UpstreamError("cut", "aborted")
    async def next(self):
        await self.pause(self.every)
        piece = next(self.pieces, b"")
        if piece == b"BREAK":
            raise UpstreamError("cut", "broken")
        return piece
    async def read(self, limit=0):
        return b"".join([piece async for piece in self])
    async def __aiter__(self):
        while piece := await self.next():
            yield piece
    def abort(self):
        self.gone.set()

class Parrot(Provider):
    dialects = ("openai.chat",)
    models = ("parrot",)
    def __init__(self, config, context):
        self.name = context.name
    def send(self, exchange, candidate, dialect, body):
        request = dialect.decode_request(dialect.peek(body))
        word = request.messages[-1].text
        if word in get_args(Kind):
            return Line(418, [word.encode()])
        call = ToolCall(id="1", name="get_weather") if word == "tool" else Text(text="hi")
        reason = "tool_calls" if word == "tool" else "stop"
        answer = Response(dialect="", id="1", model=request.model, choices=(Choice(parts=(call,), finish_reason=reason),))
        if not request.stream:
            return Line(200, [dialect.encode_response(answer, request)], 5 if word == "slow" else 0)
        return self.streamed(dialect, request, word)
    def streamed(self, dialect, request, word):
        head = {"id": "1", "model": request.model, "object": "chat.completion.chunk", "created": 1}
        chunks = [{"index": 0, "delta": {"content": "hi"}}, {"index": 0, "delta": {}, "finish_reason": "stop"}]
        lines = [b"data: %b\\\\n\\\\n" % msgspec.json.encode({**head, "choices": [chunk]}) for chunk in chunks]
        pieces = [lines[0], b"BREAK"] if word == "broken" else [*lines, b"data: [DONE]\\\\n\\\\n"]
        return Line(200, pieces, 0.1 if word == "long" else 0)
    def classify(self, dialect, status, headers, body):
        return UpstreamError(body.decode(), "told to", status=status)

class TestParrot(OfflineProviderContract):
    plugin = plugin_of(Parrot)
    dialects = Parrot.dialects
    provoked = {name: name for name in ("slow", "long", "broken", "tool", *get_args(Kind))}
""".replace("\\\\n", "\\n")


def test_a_parrot_passes(run_suite):
    recorder = run_suite(SUITE)
    assert recorder.failed == set()
    assert {name for name, result in recorder.results.items() if result == "skipped"} == {
        "test_embeddings_arrive",
        "test_tokens_are_counted",
    }


@pytest.mark.parametrize(
    ("good", "bad", "test"),
    [
        ('"slow", "long",', '"slow",', "test_it_says_how_each_deed_is_provoked"),
        ("model=request.model, choices", 'model="x", choices', "test_the_answer_is_of_the_model_that_was_asked"),
        ('name="get_weather"', 'name="get_time"', "test_a_tool_is_called"),
        ("UpstreamError(body.decode(),", 'UpstreamError("server",', "test_an_error_is_called_by_its_kind"),
        ('[lines[0], b"BREAK"]', '[*lines, b"data: [DONE]\\n\\n"]', "test_a_stream_that_is_cut_is_a_failure"),
        ("self.gone.set()", "pass", "test_aborting_before_the_answer_ends_the_call"),
        ("self.gone.set()", "self.every = 0", "test_aborting_a_stream_ends_it"),
        ("word = request", "time.sleep(0.1); word = request", "test_the_loop_is_not_held_up"),
        ("word = request", "print(body); word = request", "test_what_was_said_is_not_logged"),
        ("word = request", "socket.create_connection(('127.0.0.1', 9)); word = request", "test_a_whole_answer_arrives"),
        ('models = ("parrot",)', "models = ()", "test_models_are_listed"),
    ],
)
def test_a_broken_parrot_fails(run_suite, good, bad, test):
    assert good in SUITE
    assert test in run_suite(SUITE.replace(good, bad, 1), test).failed
