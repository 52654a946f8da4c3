"""The list of models: what the configuration names and what the providers say, never waited for."""

import asyncio
import logging
import time

import pytest

from lynkr_core import models
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.errors import UpstreamError
from lynkr_core.models import Live
from lynkr_core.testing.canned import Script, encoded
from lynkr_core.testing.waiting import SOON, least, until

pytestmark = pytest.mark.anyio


class Says:
    """Stands for a provider's `list_models`."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    async def __call__(self):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return []
        return answer


async def listed(made):
    return [model["id"] for model in (await made.client.get("/v1/models")).json()["data"]]


async def live(made, **says):
    """A live list for these providers, asked and answered."""
    for name, answers in says.items():
        made.kernel.catalog.providers[name].list_models = answers
    found = Live(made.kernel.catalog)
    made.kernel.services.append(found)
    found.refresh()
    await until(lambda: all(answers.asked for answers in says.values()))
    if not any(isinstance(answer, float) for answers in says.values() for answer in answers.answers):
        await until(lambda: not found._asking)
    return found


async def test_what_providers_say_is_merged_with_what_is_configured(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, scripted_provider.url)
    await live(made, up1=Says(["m", "new"]), up2=Says(["vendor/other"]))
    assert await listed(made) == ["auto", "chain", "up1/m", "up2/m", "up1/new", "up2/vendor/other"]
    assert (await made.client.get("/v1/models/up2/vendor/other")).json()["owned_by"] == "up2"
    assert (await made.client.get("/v1/models/new")).json()["owned_by"] == "up1"


async def test_a_bare_name_goes_to_the_first_provider_that_lists_it(gateway, scripted_provider):
    """Whichever of them answered first."""
    made = await gateway(scripted_provider.url, scripted_provider.url)
    assert (await made.ask(model="both")).status == 404
    catalog = made.kernel.catalog
    catalog.add_models(catalog.providers["up2"], ["both"])
    assert (await made.ask(model="both")).headers["x-lynkr-provider"] == "up2"
    catalog.add_models(catalog.providers["up1"], ["both"])
    assert (await made.ask(model="both")).headers["x-lynkr-provider"] == "up1"
    catalog.add_models(catalog.providers["up1"], [])
    assert (await made.ask(model="both")).headers["x-lynkr-provider"] == "up2"


async def test_names_known_at_start_are_not_taken_over(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, scripted_provider.url)
    catalog = made.kernel.catalog
    before = catalog.resolve("m"), catalog.resolve("chain"), catalog.resolve("auto")
    catalog.add_models(catalog.providers["up1"], ["m", "chain", "auto"])
    assert (catalog.resolve("m"), catalog.resolve("chain"), catalog.resolve("auto")) == before


async def test_what_remap_decides_by_score_is_not_decided_by_who_answered(tmp_path):
    config = '[routing]\nremap = true\n[server]\nlist_models = false\n[provider.echo]\n[tiers]\nsimple = ["echo/echo"]\n'
    catalog = assemble(parse(config, {}), {}).catalog
    before = catalog.resolve("some-built-in-name")
    catalog.add_models(catalog.providers["echo"], ["some-built-in-name"])
    assert catalog.resolve("some-built-in-name") is before
    assert catalog.resolve("echo/some-built-in-name").route == "exact"


async def test_a_silent_provider_holds_nobody_up(gateway, scripted_provider, monkeypatch, caplog):
    monkeypatch.setattr(models, "ASK_SECONDS", 1.0)
    made = await gateway(scripted_provider.url)
    found = await live(made, up1=Says(30.0))
    assert "up1/m" in await listed(made)
    assert found._asking
    await asyncio.wait(found._asking)
    assert "up1 does not list its models: TimeoutError" in caplog.text


async def test_a_failure_is_told_once_and_tried_again_later(gateway, scripted_provider, monkeypatch, caplog):
    made = await gateway(scripted_provider.url)
    monkeypatch.setattr(models, "RETRY_SECONDS", 0.0)
    says = Says(UpstreamError("auth", "refused"), RuntimeError("odd"), ["new"])
    found = await live(made, up1=says)
    for _ in range(3):
        await listed(made)
        await until(lambda: not found._asking)
    assert "up1/new" in await listed(made)
    assert says.asked == 3
    assert [record.levelno for record in caplog.records if record.name == "lynkr.models"] == [logging.WARNING]


async def test_a_fresh_list_is_not_asked_for_again(gateway, scripted_provider, monkeypatch):
    made, says = await gateway(scripted_provider.url), Says(["new"])
    found = await live(made, up1=says)
    for _ in range(5):
        await listed(made)
    assert says.asked == 1
    found._due["up1"] = 0.0
    await listed(made)
    await until(lambda: says.asked == 2)


def asking(text):
    """A kernel as `lynkr serve` makes it."""
    kernel = assemble(parse(text, {}), {})
    kernel.services.append(Live(kernel.catalog))
    return kernel


async def test_the_whole_gateway_asks_at_start_and_stops_asking_at_its_end(scripted_provider):
    scripted_provider.always(Script(body=encoded({"data": [{"id": "theirs"}]}), delay=0.05))
    text = f'[provider.up]\nuse = "openai-compatible"\nbase_url = "{scripted_provider.url}"\n'
    kernel = asking(text)
    async with kernel:
        assert kernel.catalog.names() == []
        await until(lambda: kernel.catalog.names() == ["up/theirs"])
    scripted_provider.always(Script(delay=60))
    began = time.monotonic()
    async with asking(text):
        await scripted_provider.arrived(2)
    assert time.monotonic() - began < SOON
    assert [received.path for received in scripted_provider.requests] == ["/models", "/models"]


async def test_thousands_of_models_are_listed_in_no_time(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    await live(made, up1=Says([f"vendor/model-{n}" for n in range(9000)]))
    await listed(made)

    async def took():
        began = time.process_time()
        assert len(await listed(made)) == 2 + 1 + models.MAX_MODELS
        return time.process_time() - began

    assert await least(took, 0.5) < 0.5


async def test_both_sdks_shapes(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, scripted_provider.url)
    answer = await made.client.get("/v1/models?limit=1000", headers={"anthropic-version": "2023-06-01"})
    listing = answer.json()
    assert (listing["object"], listing["has_more"], listing["first_id"]) == ("list", False, "auto")
    assert {"id", "object", "created", "owned_by", "type", "display_name", "created_at"} == set(listing["data"][0])
    missing = (await made.client.get("/v1/models/none/x", headers={"anthropic-version": "2023-06-01"})).json()
    assert (missing["type"], missing["error"]["type"], missing["error"]["code"]) == (
        "error",
        "not_found_error",
        "model_not_found",
    )
