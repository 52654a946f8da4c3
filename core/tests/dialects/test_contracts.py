"""The five core dialects keep the dialects' contract. Samples are hand-made from clients.md §3, providers.md §2 and the SDKs' types."""

from lynkr_core.dialects import anthropic_count_tokens, anthropic_messages, openai_chat, openai_embeddings, openai_responses
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.contracts.dialect import DialectContract
from lynkr_core.testing.rich import RICH, SHORT

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


def responses(name):
    return {"plain": CANNED[name].body, "rich": RICH[name].body, "short": SHORT[name].body}


def streams(name):
    rich = b"".join(RICH[name].events)
    whole = {"plain": b"".join(CANNED[name].events), "short": b"".join(SHORT[name].events)}
    return whole | {"rich": rich, "CRLF": rich.replace(b"\n", b"\r\n")}


class TestOpenAIChat(DialectContract):
    plugin = openai_chat.plugin
    requests = {"plain": b'{"model":"m","messages":[{"role":"user","content":"hi"}]}', "agent": CHAT_AGENT}
    responses = responses("openai.chat")
    streams = streams("openai.chat")


class TestAnthropicMessages(DialectContract):
    plugin = anthropic_messages.plugin
    requests = {
        "plain": b'{"model":"m","max_tokens":9,"system":"be brief","messages":[{"role":"user","content":"hi"}]}',
        "agent": MESSAGES_AGENT,
    }
    responses = responses("anthropic.messages")
    streams = streams("anthropic.messages")


class TestOpenAIResponses(DialectContract):
    plugin = openai_responses.plugin
    requests = {"plain": b'{"model":"m","input":"hi"}', "agent": RESPONSES_AGENT}
    responses = responses("openai.responses")
    streams = streams("openai.responses")


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
