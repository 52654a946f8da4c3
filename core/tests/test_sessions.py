"""Which conversation a request belongs to. Bodies and headers are hand-made after what the clients named in `sessions.toml` send."""

import json
import random

import pytest

from lynkr_core import sessions
from lynkr_core.dialects import growth
from lynkr_core.sessions import LONGEST, beginning, session_of
from lynkr_core.testing import factories

FIRST = {"role": "user", "content": "Fix the parser."}


def session(body=None, dialect="openai.chat", **headers):
    sent = {name.replace("_", "-") if name.startswith("x_") else name: value for name, value in headers.items()}
    extra = {"max_tokens": 5} if dialect == "anthropic.messages" else {}
    said = {} if dialect == "openai.responses" else {"messages": [FIRST]}
    return session_of(factories.exchange({"model": "auto", **extra, **said, **(body or {})}, dialect=dialect, headers=sent))


@pytest.mark.parametrize("header", ["x-lynkr-session", "x-claude-code-session-id", "session_id", "x-session-affinity"])
def test_headers_name_it(header):
    found = session(**{header: " s1 "})
    assert (found.id, found.source) == ("s1", f"header {header}")


def test_our_own_header_wins():
    assert session(session_id="theirs", x_lynkr_session="ours").id == "ours"


@pytest.mark.parametrize(
    ("body", "dialect", "id", "source"),
    [
        ({"prompt_cache_key": "0199-ab"}, "openai.responses", "0199-ab", "prompt_cache_key"),
        ({"conversation": {"id": "conv_1"}}, "openai.responses", "conv_1", "conversation"),
        ({"metadata": {"session_id": "m1"}}, "openai.chat", "m1", "metadata.session_id"),
        ({"metadata": {"user_id": "user_ab_account_cd_session_77-1"}}, "anthropic.messages", "77-1", "metadata.user_id"),
        (
            {"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": "e-1"})}},
            "anthropic.messages",
            "e-1",
            "metadata.user_id",
        ),
    ],
)
def test_fields_name_it(body, dialect, id, source):
    found = session({"input": "Fix it.", **body} if dialect == "openai.responses" else body, dialect)
    assert (found.id, found.source) == (id, source)


@pytest.mark.parametrize("metadata", [{"user_id": "u-17"}, {"user_id": "{not json"}, {"user_id": 7}, [], None, "text"])
def test_a_user_is_no_session(metadata):
    body = json.dumps({"model": "m", "max_tokens": 5, "messages": [FIRST], "metadata": metadata}).encode()
    assert session_of(factories.exchange(body, dialect="anthropic.messages")).source == "beginning"


def test_without_a_name_it_is_known_by_how_it_begins():
    one = session({"messages": [FIRST]})
    later = session({"messages": [FIRST, {"role": "assistant", "content": "Done."}, {"role": "user", "content": "Thanks"}]})
    assert one == later
    assert one.id == f"begins:{one.thread}"
    assert session({"messages": [{"role": "user", "content": "Fix the lexer."}]}).id != one.id
    assert session({"messages": [{"role": "system", "content": "Be brief."}, FIRST]}).id != one.id


def test_moved_cache_markers_and_split_texts_change_nothing():
    blocks = [{"type": "text", "text": "Fix the parser.", "cache_control": {"type": "ephemeral"}}]
    marked = {"system": [{"type": "text", "text": "You code.", "cache_control": {"type": "ephemeral"}}]}
    told = {
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.a7"},
            {"type": "text", "text": "You code."},
        ]
    }
    front = "anthropic.messages"
    found = session({**marked, "messages": [{"role": "user", "content": blocks}]}, front)
    assert found == session({**told, "messages": [FIRST]}, front)


def test_threads_of_one_session_are_told_apart():
    agent = session({"messages": [{"role": "system", "content": "You are the agent."}, FIRST]}, x_lynkr_session="s")
    helper = session({"messages": [{"role": "system", "content": "You search files."}, FIRST]}, x_lynkr_session="s")
    assert agent.id == helper.id == "s"
    assert agent.thread != helper.thread


def test_a_history_that_the_api_keeps_has_no_beginning():
    found = session({"input": "And then?", "previous_response_id": "r1", "prompt_cache_key": "k"}, "openai.responses")
    assert (found.id, found.thread) == ("k", "")
    assert session({"input": "And then?", "previous_response_id": "r1"}, "openai.responses") is None


def test_long_names_and_long_beginnings_are_bounded():
    assert len(session(x_lynkr_session="s" * 5000).id) <= LONGEST
    long = {"role": "user", "content": "word " * 200_000}
    assert session({"messages": [long]}) == session({"messages": [long, {"role": "assistant", "content": "x"}]})


@pytest.mark.parametrize("messages", [[], [7], [[[[]]]], [{"role": "user"}], [{"content": {"text": None}}]])
def test_junk_is_no_conversation_or_one_but_never_an_error(messages):
    body = json.dumps({"model": "m", "messages": messages}).encode()
    found = session_of(factories.exchange(body))
    assert found is None or found.id.startswith("begins:")


def test_deep_nesting_is_no_error():
    body = b'{"model": "m", "messages": [{"role": "user", "content": ' + b"[" * 500 + b"]" * 500 + b"}]}"
    assert session_of(factories.exchange(body)) is None


def test_embeddings_are_no_conversation():
    assert session_of(factories.exchange({"model": "m", "input": "a"}, dialect="openai.embeddings")) is None


@pytest.mark.parametrize("dialect", ["openai.chat", "anthropic.messages"])
@pytest.mark.parametrize("seed", range(20))
def test_a_conversation_that_goes_on_has_the_thread_that_it_would_have_alone(monkeypatch, dialect, seed):
    monkeypatch.setattr(growth, "_beginnings", growth.Beginnings())
    monkeypatch.setattr(growth.Beginnings, "again", lambda self, samples: True)
    chance, told = random.Random(seed), []
    marked = [{"type": "text", "text": "y" * 2_000, "cache_control": {"type": "ephemeral"}}]
    prompts = [{"system": name} if dialect == "anthropic.messages" else {"user": name} for name in "ab"]
    first = chance.choice([{}, prompts[0]])
    messages = [{"role": "assistant", "content": "z" * chance.choice([10, 5_000, 70_000])} for _ in range(chance.randint(0, 3))]
    for turn in range(16):
        message = {"role": chance.choice(["user", "assistant", "assistant"]), "content": chance.choice(["x" * 3_000, marked])}
        messages.append(message)
        last = chance.choice([{}, *prompts])
        sent = factories.exchange({**first, "model": "m", "messages": messages, **last}, dialect=dialect)
        found = session_of(sent)
        assert (found.thread if found else "") == beginning(sent.envelope.fields, "messages")[0]
        told.append(sent.envelope.grown and sent.envelope.grown.before)
        if chance.random() < 0.1:
            messages[-1] = {**message, "content": f"{turn} otherwise"}
    assert any(told)


def test_the_first_thing_a_user_says_may_come_late(monkeypatch):
    monkeypatch.setattr(growth, "_beginnings", growth.Beginnings())
    monkeypatch.setattr(growth.Beginnings, "again", lambda self, samples: True)
    messages = [{"role": "assistant", "content": "z" * 9_000}]
    threads = []
    for role in ("assistant", "assistant", "user", "user"):
        messages.append({"role": role, "content": "x"})
        threads.append(session_of(factories.exchange({"model": "m", "messages": messages})).thread)
    assert len(set(threads)) == 3
    assert threads[2] == threads[3]


def test_the_thread_of_a_long_conversation_is_found_once(monkeypatch):
    monkeypatch.setattr(growth, "_beginnings", growth.Beginnings())
    monkeypatch.setattr(growth.Beginnings, "again", lambda self, samples: True)
    read, looked = [], sessions._up_to_user
    monkeypatch.setattr(sessions, "_up_to_user", lambda raw: read.append(raw) or looked(raw))
    messages = [{"role": "user", "content": "fix it"}, {"role": "assistant", "content": "z" * 9_000}]
    for turn in range(4):
        messages.append({"role": "user", "content": f"{turn}"})
        session_of(factories.exchange({"model": "m", "messages": messages}))
    assert len(read) == 1
