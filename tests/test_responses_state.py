"""Kept responses through OpenAI's own SDK: two gateways over one SQLite file, two principals, upstreams without the Responses API."""

import openai
import pytest

CONFIG = """
{providers}
[auth.bykey]
[store.sqlite]
path = "{folder}/kept.db"
[extension.responses]
"""
AUTH = """
from lynkr_core.exchange import Principal
from lynkr_core.plugins import NoConfig, Plugin

class ByKey:
    def authenticate(self, exchange):
        return Principal(id=exchange.header(b"authorization").removeprefix("Bearer "))

plugin = Plugin(api=1, config=NoConfig, create=ByKey)
"""
UPSTREAM = '[provider.{name}]\nuse = "openai-compatible"\nbase_url = "{url}/v1"\ndialects = ["{dialect}"]\n'
DIALECTS = {"chats": "openai.chat", "claudes": "anthropic.messages"}


@pytest.fixture(scope="module")
def gateways(tmp_path_factory, serve_all):
    """Two processes with one file between them, before an echo that speaks chat and messages."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "bykey_plugin.py").write_text(AUTH)
    info = folder / "bykey-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bykey\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[lynkr.auth]\nbykey = bykey_plugin:plugin\n")
    behind = serve_all('[provider.echo]\nprefix = ""\n')
    providers = "".join(UPSTREAM.format(name=name, url=behind.url, dialect=dialect) for name, dialect in DIALECTS.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        return [serve_all(CONFIG.format(providers=providers, folder=folder)) for _ in range(2)]


@pytest.fixture
def client(gateways):
    """`client("ada")` and `client("ada", 1)`: one caller at either gateway."""
    opened = []

    def make(who, number=0):
        opened.append(openai.OpenAI(base_url=f"{gateways[number].url}/v1", api_key=who, max_retries=0))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture(params=DIALECTS)
def model(request):
    return f"{request.param}/echo"


def ask(client, stream, **asked):
    if not stream:
        return client.responses.create(**asked)
    with client.responses.stream(**asked) as stream:
        return stream.get_final_response()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_conversation_goes_on_at_the_other_gateway(client, model, stream):
    first = ask(client("ada"), stream, model=model, input="one two")
    second = ask(client("ada", 1), stream, model=model, input="three", previous_response_id=first.id)
    third = ask(client("ada"), stream, model=model, input="four", previous_response_id=second.id)
    assert [response.output_text for response in (first, second, third)] == ["one two", "three", "four"]
    assert [response.usage.input_tokens for response in (first, second, third)] == [2, 5, 7]
    items = list(client("ada", 1).responses.input_items.list(third.id, order="asc", limit=2))
    assert [item.content[0].text for item in items] == ["one two", "one two", "three", "three", "four"]


def test_a_response_is_read_and_deleted(client, model):
    made = client("ada").responses.create(model=model, input="one")
    read = client("ada", 1).responses.retrieve(made.id)
    assert (read.id, read.output_text, read.usage) == (made.id, "one", made.usage)
    client("ada", 1).responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client("ada").responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError) as raised:
        client("ada").responses.create(model=model, input="two", previous_response_id=made.id)
    assert raised.value.code == "previous_response_not_found"


def test_nobody_else_gets_it(client, model):
    made = client("ada").responses.create(model=model, input="secret")
    other = client("bob", 1)
    with pytest.raises(openai.NotFoundError) as raised:
        other.responses.create(model=model, input="and?", previous_response_id=made.id)
    assert "secret" not in str(raised.value)
    for call in (other.responses.retrieve, other.responses.delete, other.responses.input_items.list, other.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            call(made.id)
    assert client("ada").responses.retrieve(made.id).output_text == "secret"


def test_parallel_calls_go_round(client, model):
    tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": False}
    asked = 'Go [[echo: tool get_weather {"city":"Bern"}]] [[echo: tool get_weather {"city":"Rome"}]]'
    first = client("ada").responses.create(model=model, input=asked, tools=[tool])
    calls = [item for item in first.output if item.type == "function_call"]
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": call.arguments} for call in calls]
    second = client("ada", 1).responses.create(model=model, input=results, tools=[tool], previous_response_id=first.id)
    assert second.output_text == 'Tool said: {"city":"Bern"}\n{"city":"Rome"}'


def test_what_is_not_kept_is_not_there(client, model):
    made = client("ada").responses.create(model=model, input="one", store=False)
    with pytest.raises(openai.NotFoundError):
        client("ada").responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match="conversation objects"):
        client("ada").responses.create(model=model, input="one", conversation="conv_1")
