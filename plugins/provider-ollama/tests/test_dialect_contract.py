"""The dialects keep the dialects' contract. Samples are hand-made from Ollama's API reference as its Python client 0.6.3 reads it."""

import msgspec

from lynkr_core.testing.contracts.dialect import DialectContract
from lynkr_provider_ollama import dialect, embeddings, generate

AGENT = rb"""{"model":"qwen3:8b","stream":true,"keep_alive":"30m","think":"high","logprobs":true,"top_logprobs":2,"x_new":{"a":1e5},
 "format":{"type":"object","n":1.50},"options":{"num_ctx":8192,"num_predict":100,"temperature":0.50,"top_p":1,"top_k":40,
  "seed":7,"stop":["END"],"repeat_penalty":1.10,"frequency_penalty":0,"presence_penalty":0.1},
 "messages":[{"role":"system","content":"be \u00e9xact"},{"role":"user","content":"look","images":["iVBORw0KGgo="],"zzz":1.0},
  {"role":"assistant","content":"","thinking":"hm","tool_calls":[{"function":{"index":0,"name":"f","arguments":{"x": 1.0}}},
   {"id":"b","function":{"name":"g","arguments":{}}}]},
  {"role":"tool","tool_name":"f","content":"long"},{"role":"tool","tool_call_id":"b","content":"done"},{"role":"user","content":"and?"}],
 "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","n":1.50}}}]}"""
HEAD = {"model": "qwen3:8b", "created_at": "2025-10-17T23:14:07.414671Z"}
CALLS = [
    {"id": "a", "function": {"name": "f", "arguments": {"x": [1, None]}}},
    {"id": "b", "function": {"name": "g", "arguments": {}}},
]
COUNTS = {"total_duration": 174560334, "load_duration": 101397084, "prompt_eval_count": 11, "prompt_eval_duration": 13074791}
DONE = {"done": True, "done_reason": "stop", **COUNTS, "eval_count": 18, "eval_duration": 52479709}
CHANCES = [{"token": "Hi", "logprob": -0.1, "top_logprobs": [{"token": "Hi", "logprob": -0.1}]}]


def answer(**message):
    return msgspec.json.encode({**HEAD, "message": {"role": "assistant", **message}, **DONE})


def stream(*messages, **last):
    lines = [{**HEAD, "message": {"role": "assistant", **message}, "done": False} for message in messages]
    lines.append({**HEAD, "message": {"role": "assistant", "content": ""}, **DONE, **last})
    return b"".join([msgspec.json.encode(line) + b"\n" for line in lines])


RICH = stream(
    {"content": "", "thinking": "Hm 🤔"}, {"content": "", "thinking": " so."}, {"content": "Grü"}, {"content": 'ße "\\\n'},
    {"content": "", "tool_calls": CALLS[:1]}, {"content": "", "tool_calls": CALLS[1:]},
)  # fmt: skip


class TestOllama(DialectContract):
    plugin = dialect.plugin
    requests = {"plain": b'{"model":"m","messages":[{"role":"user","content":"hi"}]}', "agent": AGENT}
    responses = {
        "plain": answer(content="Hello"),
        "rich": answer(content='Grüße "', thinking="Hm 🤔", tool_calls=CALLS),
        "short": answer(content="Hel").replace(b'"stop"', b'"length"'),
        "chances": answer(content="Hi").replace(b'"done":', b'"logprobs":%b,"done":' % msgspec.json.encode(CHANCES)),
    }
    streams = {
        "plain": stream({"content": "Hel"}, {"content": "lo"}),
        "rich": RICH,
        "CRLF": RICH.replace(b"\n", b"\r\n"),
        "short": stream({"content": "Hel"}, done_reason="length"),
        "no last line end": stream({"content": "Hel"})[:-1],
        "all in the last line": stream(message={"role": "assistant", "content": "Hello"}),
    }


def generated(data):
    """The same answers as `/api/generate` tells them."""
    told = []
    for line in data.splitlines(keepends=True):
        fields = msgspec.json.decode(line)
        message = fields.pop("message")
        fields["response"] = message["content"]
        if "thinking" in message:
            fields["thinking"] = message["thinking"]
        told.append(msgspec.json.encode(fields) + b"\n" * line.endswith(b"\n"))
    return b"".join(told)


class TestGenerate(DialectContract):
    plugin = generate.plugin
    requests = {
        "plain": b'{"model":"m","prompt":"hi"}',
        "rich": rb"""{"model":"m","prompt":"h\u00ef","suffix":"}","system":"s","template":"t","context":[1,2],"raw":false,"think":true,
          "images":["iVBORw0KGgo="],"format":"json","options":{"temperature":0.50,"num_ctx":4096},"keep_alive":300,"stream":false}""",
    }
    responses = {name: generated(body) for name, body in TestOllama.responses.items()}
    streams = {name: generated(data) for name, data in TestOllama.streams.items() if name != "CRLF"}


class TestEmbeddings(DialectContract):
    plugin = embeddings.plugin
    requests = {
        "text": b'{"model":"m","input":"h\\u00ef"}',
        "more": b'{"model":"m","input":["a","b"],"truncate":false,"dimensions":8,"options":{"num_ctx":4096},"keep_alive":-1,"x":1.50}',
    }
    responses = {
        "floats": b'{"model":"m","embeddings":[[0.01,-0.5],[1.0,2]],"total_duration":1,"load_duration":1,"prompt_eval_count":8}'
    }
