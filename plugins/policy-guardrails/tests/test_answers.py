"""Answers: masks come back as values, secrets do not pass, and what is neither leaves at once."""

import random

import msgspec
import pytest

pytestmark = pytest.mark.anyio
MAIL = "eva.lindqvist@fjordlabs.io"
KEY = "AKIAZ7Q3XK2M5NWP4RTB"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"
SECRET = "ghp_9fK2mQ7xL4vB8nR3tY6wZ1cD5eH0jA2sG7uPq"
MASKED = 'answers = { secret = "mask", personal = "mask" }'


def cut(text, rng):
    """The text in pieces of 1 to 9 characters."""
    made = []
    while text:
        size = rng.randint(1, 9)
        made.append(text[:size])
        text = text[size:]
    return made


async def test_a_whole_answer_speaks_of_values_again(guarded):
    async with guarded() as gateway:
        mask = await gateway.masked(MAIL, "EMAIL")
        gateway.says(f"I wrote to {mask}, twice to {mask.lower()}.", {"arguments": f'{{"to":"{mask}"}}'})
        answer = await gateway.ask(f"Write to {MAIL}")
    message = answer.json()["choices"][0]["message"]
    assert message["content"] == f"I wrote to {MAIL}, twice to {MAIL}."
    assert msgspec.json.decode(message["tool_calls"][0]["function"]["arguments"]) == {"to": MAIL}


@pytest.mark.parametrize("seed", range(6))
async def test_so_does_a_stream_however_it_is_cut(guarded, seed):
    rng = random.Random(seed)
    async with guarded() as gateway:
        mail, pem = await gateway.masked(MAIL, "EMAIL"), await gateway.masked(PEM, "PRIVATE_KEY")
        told, called = f"M {mail}: MASKED_ÄÖ 🦆 {mail}. MASKED_", f'{{"a":"{pem}","b":["{mail}"],"c":"MASKED_NO_0123456789ab"}}'
        gateway.says(*cut(told, rng), *[{"arguments": piece} for piece in cut(called, rng)])
        text, arguments = await gateway.streamed(f"Take {MAIL} and {PEM}")
    assert text == told.replace(mail, MAIL)
    assert msgspec.json.decode(arguments) == {"a": PEM, "b": [MAIL], "c": "MASKED_NO_0123456789ab"}


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_a_mask_is_restored_whatever_words_stand_before_it(guarded, size):
    """The name of a rule may look like the beginning of a secret: `KEY_f715d1` in `MASKED_AWS_KEY_f715d1`."""
    async with guarded(MASKED) as gateway:
        key, mail = await gateway.masked(KEY, "AWS_ACCESS_KEY"), await gateway.masked(MAIL, "EMAIL")
        told = f'key {key} "is" the token {mail} here and password: {key}. Done'
        gateway.says(*[told[at : at + size] for at in range(0, len(told), size)])
        text, _ = await gateway.streamed(f"Take {MAIL} and {KEY}")
    assert text == told.replace(key, KEY).replace(mail, MAIL)


async def test_masks_of_others_are_only_text(guarded):
    async with guarded() as gateway:
        mask = await gateway.masked(MAIL, "EMAIL")
        gateway.says(f"Say {mask}")
        answer = await gateway.ask("Repeat it")
        gateway.says(f"Say {mask}")
        text, _ = await gateway.streamed("Repeat it again")
    assert answer.json()["choices"][0]["message"]["content"] == f"Say {mask}"
    assert text == f"Say {mask}"


@pytest.mark.parametrize("seed", range(6))
async def test_a_secret_split_over_pieces_is_still_found(guarded, seed):
    rng = random.Random(seed)
    told = f"Use {SECRET} or password: Wint3r!Storm, and {PEM}\nor write to {MAIL} or +49 30 901820 today."
    async with guarded(MASKED) as gateway:
        gateway.says(*cut(told, rng), *[{"arguments": piece} for piece in cut(f'{{"k":"{SECRET}"}}', rng)])
        text, arguments = await gateway.streamed("Any secrets?")
    for value in (SECRET, "Wint3r!Storm", "MIIEvQIBADANBgkq", MAIL, "901820"):
        assert value not in text + arguments
    assert text.startswith("Use MASKED_GITHUB_TOKEN_")
    assert text.endswith(" today.")
    assert text.count("MASKED_") == 5
    assert set(msgspec.json.decode(arguments)) == {"k"}


async def test_what_is_not_suspicious_leaves_at_once(guarded):
    """Each piece is sent only when the caller has the one before."""
    said = ["Hello, ", "this is a ", "plain answer (with 3 items), ", "nothing ", "in it; ", "done.\n"]
    async with guarded('answers = { secret = "block", card = "mask" }') as gateway:
        gateway.says(*said, pause=0.02)
        body = {"model": "cloud/m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        async with gateway.stream("/v1/chat/completions", json=body) as streamed:
            came = [piece async for piece in streamed]
    texts = [
        msgspec.json.decode(line[6:]) for piece in came for line in piece.decode().splitlines() if line.startswith("data: {")
    ]
    contents = [choice["delta"].get("content") for one in texts for choice in one["choices"]]
    assert [content for content in contents if content] == said


async def test_a_blocked_answer_ends_where_the_secret_begins(guarded):
    async with guarded('answers = { secret = "block" }') as gateway:
        gateway.says("The key ", "is gh", "p_9fK2mQ7xL4vB8n", "R3tY6wZ1cD5eH0jA2sG7uPq", " and more")
        answer = await gateway.ask("Key?", stream=True)
        gateway.says(f"The key is {SECRET}")
        whole = await gateway.ask("Key?")
    assert b"ghp_" not in answer.body
    assert b"guardrail_blocked" in answer.body
    assert b"and more" not in answer.body
    assert (whole.status, whole.json()["error"]["code"]) == (400, "guardrail_blocked")
    assert SECRET not in whole.text


async def test_warnings_change_nothing_and_are_told(guarded):
    async with guarded() as gateway:
        gateway.says(f"The key is {SECRET}")
        answer = await gateway.ask("Key?")
        gateway.says("The key is ", SECRET[:9], SECRET[9:])
        text, _ = await gateway.streamed("Key?")
    assert SECRET in answer.text
    assert answer.headers["x-lynkr-guardrails"] == "warn: github_token 1"
    assert text == f"The key is {SECRET}"
    assert gateway.plugin.status()["answers github_token warn"] == 2


async def test_anthropic_tool_calls_come_back_too(guarded, scripted_provider):
    from lynkr_core.request import Text, ToolCall
    from lynkr_core.testing.saying import saying

    body = {"model": "claude/m", "max_tokens": 100, "messages": [{"role": "user", "content": f"Mail {MAIL} now"}]}
    async with guarded() as gateway:
        await gateway.post("/v1/messages", json=body)
        mask = msgspec.json.decode(gateway.sent)["messages"][0]["content"].split()[1]
        script = saying(
            "anthropic.messages", Text(text=f"To {mask}"), ToolCall(id="t1", name="f", arguments=f'{{"to":"{mask}"}}')
        )
        scripted_provider.then(script, script)
        whole = (await gateway.post("/v1/messages", json=body)).json()
        streamed = await gateway.post("/v1/messages", json={**body, "stream": True})
    assert mask.startswith("MASKED_EMAIL_")
    assert [block.get("text") or block["input"] for block in whole["content"]] == [f"To {MAIL}", {"to": MAIL}]
    told = [msgspec.json.decode(event.data) for event in streamed.events()]
    pieces = [one["delta"] for one in told if one["type"] == "content_block_delta"]
    assert "".join([piece.get("text", "") for piece in pieces]) == f"To {MAIL}"
    assert msgspec.json.decode("".join([piece.get("partial_json", "") for piece in pieces])) == {"to": MAIL}


async def test_a_conversation_that_the_provider_keeps_is_restored_too(guarded):
    """The second request says nothing of the value; another conversation must not have it."""
    async with guarded() as gateway:
        mask = await gateway.masked(MAIL, "EMAIL")
        body = {"model": "cloud/m", "messages": [{"role": "user", "content": f"Mail {MAIL}"}]}
        await gateway.post("/v1/chat/completions", json=body, headers={"x-lynkr-session": "one"})
        texts = []
        for session in ("one", "two"):
            gateway.says(f"To {mask}")
            later = {"model": "cloud/m", "messages": [{"role": "user", "content": "To whom?"}]}
            answer = await gateway.post("/v1/chat/completions", json=later, headers={"x-lynkr-session": session})
            texts.append(answer.json()["choices"][0]["message"]["content"])
    assert texts == [f"To {MAIL}", f"To {mask}"]


async def test_a_cut_stream_gives_what_was_held_back(guarded, scripted_provider):
    async with guarded(MASKED) as gateway:
        gateway.says("Write to eva.lind", "qvist@fjord", pause=0.01)
        script = scripted_provider._next.pop()
        scripted_provider.then(script.but(cut_events=3))
        answer = await gateway.ask("Whom?", stream=True)
    assert b"eva.lind" not in answer.body
    assert b"error" in answer.body
