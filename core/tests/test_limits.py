"""Bounds of what a caller may send, and what of lynkr itself only its owner may use."""

import pytest

from lynkr_core.errors import Forbidden, Unauthenticated
from lynkr_core.exchange import Reply
from lynkr_core.process import PAGE_HEADERS, Process, Reloaded, admin, page
from lynkr_core.routes import Route
from lynkr_core.secret import Secret

pytestmark = pytest.mark.anyio
FRONTS = {"/v1/chat/completions": "openai.chat", "/v1/responses": "openai.responses", "/v1/messages": "anthropic.messages"}
KEYS = {"/v1/chat/completions": "messages", "/v1/responses": "input", "/v1/messages": "messages"}
fronts = pytest.mark.parametrize("front", FRONTS)
same = pytest.mark.parametrize("same", [True, False], ids=["same", "translated"])


async def served(gateway, scripted_provider, front, same, config=""):
    """A gateway whose provider speaks the front's dialect, or only another one."""
    other = "openai.chat" if front == "/v1/messages" else "anthropic.messages"
    return await gateway(scripted_provider.url, dialects=(FRONTS[front] if same else other,), config=config)


def turns(count):
    return [{"role": "user" if number % 2 == 0 else "assistant", "content": "x"} for number in range(count)]


@fronts
@same
async def test_too_many_messages_reach_nobody(gateway, scripted_provider, front, same):
    made = await served(gateway, scripted_provider, front, same, "[server]\nmax_messages = 21")
    answer = await made.ask(front, **{KEYS[front]: turns(21)})
    assert answer.status == 200
    answer = await made.ask(front, **{KEYS[front]: turns(22)})
    assert answer.status == 413
    assert f"{KEYS[front]} has 22 entries" in answer.json()["error"]["message"]
    assert len(scripted_provider.requests) == 1


@fronts
async def test_other_lists_and_braces_in_texts_are_no_messages(gateway, scripted_provider, front):
    made = await served(gateway, scripted_provider, front, True, "[server]\nmax_messages = 5")
    tool = {"type": "function", "name": "f", "function": {"name": "f"}, "input_schema": {"type": "object"}}
    for more in ({"tools": [tool] * 20}, {KEYS[front]: [{"role": "user", "content": "{" * 50}]}):
        assert (await made.ask(front, **more)).status == 200


@fronts
async def test_ten_thousand_are_the_most_by_itself(gateway, scripted_provider, front):
    made = await served(gateway, scripted_provider, front, True)
    assert (await made.ask(front, **{KEYS[front]: turns(10_000)})).status == 200
    assert (await made.ask(front, **{KEYS[front]: turns(10_001)})).status == 413


def nested(depth):
    return b"[" * depth + b"]" * depth


@fronts
@same
@pytest.mark.parametrize("depth", [500, 1000, 5000, 200_000])
@pytest.mark.parametrize("place", ["metadata", "tools", "KEY", "content", "unknown"])
async def test_a_request_nested_too_deeply_harms_nobody(gateway, scripted_provider, front, same, depth, place):
    """It is refused, or passed on unread where it is not looked at: never a fault of lynkr's own."""
    made = await served(gateway, scripted_provider, front, same)
    key = KEYS[front].encode()
    user = b'{"role":"user","content":%s}' % (nested(depth) if place == "content" else b'"x"')
    fields = {b"model": b'"up1/m"', b"max_tokens": b"9", key: b"[%s]" % user}
    fields[key if place in ("KEY", "content") else place.encode()] = fields[key] if place == "content" else nested(depth)
    body = b"{" + b",".join(b'"%s":%s' % pair for pair in fields.items()) + b"}"
    answer = await made.client.post(front, content=body)
    assert answer.status in (200, 400), answer.text
    assert "lynkr failed" not in answer.text


# admin
async def test_an_admin_route_is_off_without_a_key_and_needs_the_right_one(gateway, scripted_provider):
    class Admin:
        def register_routes(self):
            return [Route(method="GET", path="/v1/admin/secret", endpoint=self.tell, admin=True)]

        async def tell(self, query):
            return Reply(body=query.principal.id.encode())

    off = await gateway(scripted_provider.url, plugins=(("extension", Admin()),))
    assert (await off.client.get("/v1/admin/secret")).status == 403
    on = await gateway(scripted_provider.url, plugins=(("extension", Admin()),), config='[server]\nadmin_key = "k"')
    answers = [
        await on.client.get("/v1/admin/secret", headers=headers) for headers in ({}, {"x-api-key": "j"}, {"x-api-key": "k"})
    ]
    assert [answer.status for answer in answers] == [401, 401, 200]
    assert answers[-1].text == "admin"


async def test_a_public_route_asks_nobody_who_they_are_and_every_other_does(gateway, scripted_provider):
    class Pages:
        def authenticate(self):
            return None

        def register_routes(self):
            routes = {"/page": {"public": True}, "/data": {}, "/both": {"public": True, "admin": True}}
            return [Route(method="GET", path=path, endpoint=self.tell, **how) for path, how in routes.items()]

        async def tell(self, query):
            return Reply(body=query.principal.id.encode())

    made = await gateway(scripted_provider.url, plugins=(("auth", Pages()),), config='[server]\nadmin_key = "k"')
    for headers in ({}, {"x-api-key": "wrong"}, {"x-api-key": "k"}):
        answer = await made.client.get("/page", headers=headers)
        assert (answer.status, answer.text) == (200, "anonymous")
    assert [(await made.client.get(path)).status for path in ("/data", "/both")] == [401, 401]
    assert (await made.client.get("/data", headers={"x-api-key": "k"})).text == "admin"


@pytest.mark.parametrize("shown", [b"", b"k", b"key ", b"KEY", b"keykey", "ké".encode(), b"\xff"])
def test_only_the_very_key_opens(shown):
    with pytest.raises(Unauthenticated):
        admin(Secret("key-1"), {b"authorization": b"Bearer " + shown})
    assert admin(Secret("ké y"), {b"x-api-key": "ké y".encode()}).id == "admin"
    for none in (None, Secret("")):
        with pytest.raises(Forbidden):
            admin(none, {b"authorization": b"Bearer "})


async def test_without_a_server_that_can_there_is_no_route_to_reload(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, config='[server]\nadmin_key = "k"')
    assert (await made.client.post("/v1/admin/reload", headers={"x-api-key": "k"})).status == 404
    assert Process().routes() == []


async def test_what_became_of_a_reload_is_told(gateway, scripted_provider):
    process = Process()

    async def reload():
        return Reloaded(config="abc", mistakes=["lynkr.toml: this", "lynkr.toml: that"])

    process.reload = reload
    (route,) = process.routes()
    assert route.admin
    reply = await route.endpoint(None)
    assert reply.status == 422
    assert b"lynkr.toml: this\\nlynkr.toml: that" in reply.body


def test_a_page_keeps_others_from_using_it():
    reply = page("<!doctype html><title>ä</title>")
    headers = dict(reply.headers)
    assert reply.headers == PAGE_HEADERS
    assert reply.body.decode() == "<!doctype html><title>ä</title>"
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (headers[b"x-content-type-options"], headers[b"x-frame-options"]) == (b"nosniff", b"DENY")
