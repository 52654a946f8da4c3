"""The five core dialects keep the dialects' contract. Samples are hand-made from clients.md §3, providers.md §2 and the SDKs' types."""

import json

from lynkr_core.dialects import anthropic_count_tokens, anthropic_messages, openai_chat, openai_embeddings, openai_responses
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.contracts.dialect import DialectContract

CHAT_AGENT = rb"""{"model": "m", "stream": true, "stream_options": {"include_usage": true}, "temperature": 0.50, "x-new": {"a": 1e5},
 "messages": [{"role":"developer","content":"be \u00e9xact"},
  {"role":"user","content":[{"type":"text","text":"look","cache_control":{"type":"ephemeral"}},
   {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
   {"type":"image_url","image_url":{"url":"https://x.example/a.png"}},{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}},
   {"type":"file","file":{"file_id":"file-1"}},{"type":"hologram","h":1.0}]},
  {"role":"assistant","content":null,"reasoning_content":"hm","refusal":null,"tool_calls":[
   {"id":"a","type":"function","function":{"name":"f","arguments":"{ \"x\": 1.0 }"},"extra_content":{"google":{"thought_signature":"s"}}},
   {"id":"b","type":"custom","custom":{"name":"patch","input":"*** free"}}]},
  {"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"long"}]},{"role":"tool","tool_call_id":"b","content":"done"},
  {"role":"user","content":"and?","name":"kim"}],
 "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","n":1.50},"strict":true}},
  {"type":"custom","custom":{"name":"patch"}}],
 "tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,"max_completion_tokens":100,"top_p":1,"seed":7,
 "stop":["END"],"reasoning_effort":"high","logit_bias":{"50256":-100},"logprobs":true,"top_logprobs":2,"user":"u","n":1,
 "presence_penalty":0.1,"frequency_penalty":0,"service_tier":"auto","metadata":{"a":"b"},"prompt_cache_key":"k","store":false,
 "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"},"strict":true}}}"""
CHAT_ANSWER = rb"""{"id":"c1","object":"chat.completion","created":1700000000,"model":"m-1","system_fingerprint":"fp","choices":[
 {"index":0,"message":{"role":"assistant","content":"h\u00e9","reasoning_content":"hm","tool_calls":[
   {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\": 1.0}"}},
   {"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},
  "logprobs":{"content":[{"token":"h","logprob":-0.5,"bytes":[104],"top_logprobs":[]}]},"finish_reason":"tool_calls"}],
 "usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4},
  "completion_tokens_details":{"reasoning_tokens":3}},"service_tier":"default"}"""

MESSAGES_AGENT = rb"""{"model":"claude-x","max_tokens":32000,"stream":true,"temperature":1.0,"top_k":40,"top_p":0.9,
 "system":[{"type":"text","text":"x-header: cc"},{"type":"text","text":"You are C.","cache_control":{"type":"ephemeral","ttl":"1h"}}],
 "messages":[{"role":"user","content":"fix it"},
  {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig=="},{"type":"redacted_thinking","data":"xyz"},
   {"type":"text","text":"reading"},{"type":"tool_use","id":"toolu_1","name":"Read","input":{"path": "a.py", "n": 1.0}},
   {"type":"tool_use","id":"toolu_2","name":"Bash","input":{}}]},
  {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"one","cache_control":{"type":"ephemeral"}},
   {"type":"tool_result","tool_use_id":"toolu_2","is_error":true,"content":[{"type":"text","text":"boom"},
    {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]},{"type":"text","text":"and now?"},
   {"type":"image","source":{"type":"url","url":"https://x.example/a.png"}},
   {"type":"document","source":{"type":"text","media_type":"text/plain","data":"d"},"title":"t","citations":{"enabled":true}},
   {"type":"search_result","source":"s","title":"t","content":[],"zzz":1e2}]}],
 "tools":[{"name":"Read","description":"reads","input_schema":{"$schema":"http://s","type":"object"},"defer_loading":true},
  {"type":"web_search_20250305","name":"web_search","max_uses":5}],"tool_choice":{"type":"any","disable_parallel_tool_use":true},
 "thinking":{"type":"enabled","budget_tokens":31999},"output_config":{"effort":"high"},"metadata":{"user_id":"u"},
 "context_management":{"edits":[]},"stop_sequences":["END"],"service_tier":"auto"}"""
MESSAGES_ANSWER = rb"""{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[
 {"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"xyz"},{"type":"text","text":"h\u00e9"},
 {"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}},{"type":"tool_use","id":"toolu_2","name":"g","input":{}}],
 "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":4,"cache_read_input_tokens":5,
  "output_tokens":6,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"service_tier":"priority"}}"""

RESPONSES_AGENT = rb"""{"model":"gpt-x","instructions":"Be brief.","input":[
  {"type":"message","role":"developer","content":[{"type":"input_text","text":"You are Codex."}]},
  {"type":"message","role":"user","content":[{"type":"input_text","text":"list \u00e9","x_new":1.0e2},
   {"type":"input_image","image_url":"https://x.example/a.png","detail":"low"},{"type":"input_file","file_id":"file-1"}]},
  {"type":"reasoning","summary":[{"type":"summary_text","text":"First."}],"encrypted_content":"gAAAAB+/="},
  {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Looking."}],"phase":"commentary"},
  {"type":"function_call","name":"exec","arguments":"{\"cmd\": \"ls\"}","call_id":"call_1"},
  {"type":"function_call_output","call_id":"call_1","output":"a listing","id":"fco_1"},
  {"type":"custom_tool_call","call_id":"call_3","name":"apply_patch","input":"*** Begin Patch"},
  {"type":"custom_tool_call_output","call_id":"call_3","output":"Done!"},
  {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"x"}},
  {"role":"user","content":"go on"}],
 "tools":[{"type":"function","name":"exec","strict":false,"parameters":{"type":"object","properties":{}}},
  {"type":"web_search","external_web_access":true},
  {"type":"custom","name":"apply_patch","format":{"type":"grammar","syntax":"lark","definition":"start: /./"}}],
 "tool_choice":{"type":"function","name":"exec"},"parallel_tool_calls":true,"reasoning":{"effort":"medium","summary":"auto"},
 "store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"k","max_output_tokens":100,"top_p":0.9,
 "text":{"verbosity":"low","format":{"type":"json_schema","name":"s","schema":{"type":"object"},"strict":true}},"metadata":{"a":"b"}}"""
RESPONSES_ANSWER = rb"""{"id":"resp_1","object":"response","created_at":1700000000,"status":"completed","model":"gpt-x","output":[
  {"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"gAAAA"},
  {"id":"msg_1","type":"message","status":"completed","role":"assistant",
   "content":[{"type":"output_text","text":"h\u00e9","annotations":[]}]},
  {"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"f","arguments":"{\"x\": 1.0}"},
  {"id":"fc_2","type":"function_call","status":"completed","call_id":"call_2","name":"g","arguments":"{}"}],
 "usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":6,"cache_write_tokens":1},"output_tokens":20,
  "output_tokens_details":{"reasoning_tokens":5},"total_tokens":30},"service_tier":"priority","error":null,"incomplete_details":null}"""


def sse(*events):
    names = [f"event: {event['type']}\n" if "type" in event else "" for event in events]
    return "".join([f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(names, events, strict=True)]).encode()


def chunk(finish=None, **delta):
    return {"id": "c1", "model": "m-1", "created": 7, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(index, arguments, **more):
    return {"tool_calls": [{"index": index, **more, "function": {**({"name": "f"} if more else {}), "arguments": arguments}}]}


CHAT_STREAM = sse(
    chunk(role="assistant", content=""), chunk(reasoning_content="hm 🤔"), chunk(reasoning_content=" so"), chunk(content="Grü"),
    chunk(content='ße "\\\n'), chunk(**call(0, "", id="a", type="function")), chunk(**call(0, '{"x":')), chunk(**call(0, " 1}")),
    chunk(**call(1, "{}", id="b", type="function")), chunk("tool_calls"),
    {"id": "c1", "model": "m-1", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17,
     "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 3}}},
) + b"data: [DONE]\n\n"  # fmt: skip


def block(index, start, *deltas):
    opened = {"type": "content_block_start", "index": index, "content_block": start}
    middle = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [opened, *middle, {"type": "content_block_stop", "index": index}]


def typed(type, **more):
    return {"type": type, **more}


MESSAGES_STREAM = sse(
    typed("message_start", message={"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
          "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "cache_read_input_tokens": 100,
          "cache_creation_input_tokens": 20, "output_tokens": 1}}),
    typed("ping"),
    *block(0, typed("thinking", thinking="", signature=""), typed("thinking_delta", thinking="hm 🤔"),
           typed("signature_delta", signature="sig")),
    *block(1, typed("redacted_thinking", data="opaque")),
    *block(2, typed("text", text=""), typed("text_delta", text="Grü"), typed("text_delta", text='ße "\\\n')),
    *block(3, typed("tool_use", id="toolu_1", name="f", input={}), typed("input_json_delta", partial_json='{"a":'),
           typed("input_json_delta", partial_json="1}")),
    *block(4, typed("tool_use", id="toolu_2", name="g", input={})),
    typed("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}, usage={"output_tokens": 42}),
    typed("message_stop"),
)  # fmt: skip


def of_response(name, **more):
    return typed(f"response.{name}", **more)


def item(index, whole, opened, *between):
    steps = [of_response(name, output_index=index, item_id=whole["id"], **more) for name, more in between]
    return [of_response("output_item.added", output_index=index, item=opened), *steps,
            of_response("output_item.done", output_index=index, item=whole)]  # fmt: skip


WHOLE = json.loads(RESPONSES_ANSWER)
BEGUN = WHOLE | {"status": "in_progress", "output": [], "usage": None}
THOUGHT, SAID, CALLED, BARE = WHOLE["output"]
PART, SUMMED = SAID["content"][0], THOUGHT["summary"][0]
FIRST = {"content_index": 0}
RESPONSES_STREAM = sse(
    of_response("created", response=BEGUN), of_response("in_progress", response=BEGUN),
    *item(0, THOUGHT, {"id": "rs_1", "type": "reasoning", "summary": []},
          ("reasoning_summary_part.added", {"summary_index": 0, "part": SUMMED | {"text": ""}}),
          ("reasoning_summary_text.delta", {"summary_index": 0, "delta": "Hm."}),
          ("reasoning_summary_text.done", {"summary_index": 0, "text": "Hm."}),
          ("reasoning_summary_part.done", {"summary_index": 0, "part": SUMMED})),
    *item(1, SAID, SAID | {"content": []}, ("content_part.added", FIRST | {"part": PART | {"text": ""}}),
          ("output_text.delta", FIRST | {"delta": "h"}), ("output_text.delta", FIRST | {"delta": "é"}),
          ("output_text.done", FIRST | {"text": "hé"}), ("content_part.done", FIRST | {"part": PART})),
    *item(2, CALLED, CALLED | {"arguments": ""}, ("function_call_arguments.delta", {"delta": '{"x":'}),
          ("function_call_arguments.delta", {"delta": " 1.0}"}), ("function_call_arguments.done", {"arguments": '{"x": 1.0}'})),
    *item(3, BARE, BARE | {"arguments": ""}, ("function_call_arguments.done", {"arguments": "{}"})),
    of_response("completed", response=WHOLE),
)  # fmt: skip


def streams(name, full):
    canned = b"".join(CANNED[name].events)
    return {"plain": canned, "agent": full, "CRLF": full.replace(b"\n", b"\r\n")}


class TestOpenAIChat(DialectContract):
    plugin = openai_chat.plugin
    requests = {"plain": b'{"model":"m","messages":[{"role":"user","content":"hi"}]}', "agent": CHAT_AGENT}
    responses = {"plain": CANNED["openai.chat"].body, "agent": CHAT_ANSWER}
    streams = streams("openai.chat", CHAT_STREAM)


class TestAnthropicMessages(DialectContract):
    plugin = anthropic_messages.plugin
    requests = {
        "plain": b'{"model":"m","max_tokens":9,"system":"be brief","messages":[{"role":"user","content":"hi"}]}',
        "agent": MESSAGES_AGENT,
    }
    responses = {"plain": CANNED["anthropic.messages"].body, "agent": MESSAGES_ANSWER}
    streams = streams("anthropic.messages", MESSAGES_STREAM)


class TestOpenAIResponses(DialectContract):
    plugin = openai_responses.plugin
    requests = {"plain": b'{"model":"m","input":"hi"}', "agent": RESPONSES_AGENT}
    responses = {"plain": CANNED["openai.responses"].body, "agent": RESPONSES_ANSWER}
    streams = streams("openai.responses", RESPONSES_STREAM)


class TestOpenAIEmbeddings(DialectContract):
    plugin = openai_embeddings.plugin
    requests = {
        "text": b'{"model":"m","input":"h\\u00ef"}',
        "tokens": b'{"model":"m","input":[[1,2],[3]],"dimensions":8,"encoding_format":"base64","user":"u","x":1.50}',
    }
    responses = {"floats": CANNED["openai.embeddings"].body}


class TestAnthropicCountTokens(DialectContract):
    plugin = anthropic_count_tokens.plugin
    requests = {
        "plain": b'{"model":"m","messages":[{"role":"user","content":"hi"}]}',
        "tools": b'{"model":"m","system":"s","tools":[{"name":"f","input_schema":{}}],"messages":[{"role":"user","content":[]}]}',
    }
    responses = {"count": b'{"input_tokens":12}'}
