"""The fixtures that `pytest_plugins = ["lynkr_core.testing.plugin"]` gives."""

SUITE = """
pytest_plugins = ["lynkr_core.testing.plugin"]

@pytest.fixture
def app():
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive(); await send({"type": "lifespan.startup.complete"})
            await receive(); await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})
    return app

@pytest.mark.anyio
async def test_client(client):
    assert (await client.get("/x")).text == "/x"

@pytest.mark.anyio
async def test_provider(scripted_provider):
    assert scripted_provider.url.startswith("http://127.0.0.1:")

def test_context(context):
    with pytest.raises(AssertionError, match="nothing may be sent"):
        context.transport.send("x", (), b"")
"""


def test_the_fixtures_work_in_a_test_module_that_opts_in(run_suite):
    assert run_suite(SUITE).results == {"test_client": "passed", "test_provider": "passed", "test_context": "passed"}
