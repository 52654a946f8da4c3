"""An upstream's answer that is nested too deeply is an upstream's error, whatever reads it."""

import pytest

from lynkr_core.testing.canned import Script

pytestmark = pytest.mark.anyio
DEEP = b'{"x": ' + b"[" * 50_000 + b"]" * 50_000 + b', "choices": []}'
FRONTS = ["/v1/chat/completions", "/v1/responses", "/v1/messages"]


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("spoken", [(), ("openai.chat",), ("anthropic.messages",)], ids=["same", "chat", "messages"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_nested_too_deeply(gateway, scripted_provider, front, spoken, stream, status):
    events = (b"data: " + DEEP + b"\n\n",) if stream and status == 200 else ()
    scripted_provider.always(Script(body=b"" if events else DEEP, events=events, status=status))
    made = await gateway(scripted_provider.url, dialects=spoken, config="[routing]\nretries = 0")
    answer = await made.ask(front, stream=stream)
    assert answer.status in (500, 502)
    assert "lynkr failed" not in answer.text
