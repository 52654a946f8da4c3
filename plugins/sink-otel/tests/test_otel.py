"""A real gateway tells a collector, which reads it with OpenTelemetry's own messages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lynkr_core.testing.canned import Script
from lynkr_core.testing.process import Gateway, ask, gateway
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.waiting import PATIENCE

from .conftest import Collector, attributes

pytestmark = pytest.mark.anyio
SECRET, PROMPT = "sk-planted-9f21", "planted-prompt"
CONFIG = """
[server]
list_models = false
[routing]
retries = 0
[provider.up]
use = "openai-compatible"
base_url = "{up}/v1"
api_key = "sk-planted-9f21"
vendor = "mistral"
dialects = ["openai.chat"]
models = ["m", "n"]
[models]
mixed = ["up/m", "up/n"]
[prices]
"up/m" = {{ input = 1000, output = 2000 }}
[sink.otel]
endpoint = "{collector}"
headers = {{ x-tenant = "sk-planted-9f21" }}
every = 0.1
metrics_every = 0.2
"""
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def post(url: str, model: str, *, stream: bool = False, **headers: str) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "stream": stream, "max_tokens": 77}
    return ask(f"{url}/v1/chat/completions", body, **headers).status


def serve(folder: Path, up: ScriptedProvider, collector: Collector, more: str = "") -> Any:
    (folder / "lynkr.toml").write_text(CONFIG.format(up=up.url, collector=collector.url) + more)
    return gateway(cwd=folder)


async def test_one_parent_and_a_child_for_each_attempt(
    scripted_provider: ScriptedProvider, collector: Collector, tmp_path: Path
) -> None:
    scripted_provider.then(Script(status=500, body=b"{}"))
    with serve(tmp_path, scripted_provider, collector) as running:
        status = await asyncio.to_thread(post, running.url, "mixed", traceparent=PARENT, tracestate="a=b")
        await asyncio.to_thread(collector.until, lambda: len(collector.spans()) == 3)
        await asyncio.to_thread(collector.until, collector.metrics)
    assert status == 200
    parent, failed, good = collector.spans()
    assert parent.trace_id.hex() == failed.trace_id.hex() == good.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert parent.parent_span_id.hex() == "b7ad6b7169203331"
    assert failed.parent_span_id == good.parent_span_id == parent.span_id
    assert [span.kind for span in (parent, failed, good)] == [2, 3, 3]
    assert [span.status.code for span in (parent, failed, good)] == [0, 2, 0]
    assert [span.name for span in (parent, failed, good)] == ["POST /v1/chat/completions", "chat m", "chat n"]
    assert parent.start_time_unix_nano <= failed.start_time_unix_nano <= failed.end_time_unix_nano
    assert failed.end_time_unix_nano <= good.start_time_unix_nano <= good.end_time_unix_nano <= parent.end_time_unix_nano
    assert all(span.trace_state == "a=b" for span in (parent, failed, good))
    announced = [request.headers["traceparent"] for request in scripted_provider.requests]
    assert announced == [f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" for span in (failed, good)]
    assert [request.headers["tracestate"] for request in scripted_provider.requests] == ["a=b"] * 2


async def test_spans_say_what_the_conventions_name(
    scripted_provider: ScriptedProvider, collector: Collector, tmp_path: Path
) -> None:
    with serve(tmp_path, scripted_provider, collector) as running:
        await asyncio.to_thread(post, running.url, "up/m", stream=True)
        await asyncio.to_thread(collector.until, lambda: len(collector.spans()) == 2)
    parent, child = (attributes(span) for span in collector.spans())
    assert child.pop("gen_ai.response.time_to_first_chunk") > 0
    asked, said = child.pop("gen_ai.usage.input_tokens"), child.pop("gen_ai.usage.output_tokens")
    assert child.pop("lynkr.cost_usd") == pytest.approx((asked * 1000 + said * 2000) / 1e6)
    assert {name: value for name, value in child.items() if not name.startswith("gen_ai.usage")} == {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.provider.name": "mistral_ai", "lynkr.provider": "up",
        "server.address": "127.0.0.1", "server.port": int(scripted_provider.url.rpartition(":")[2]), "lynkr.attempt": 1,
        "gen_ai.request.stream": True, "gen_ai.request.max_tokens": 77,
    }  # fmt: skip
    assert (parent["http.request.method"], parent["http.response.status_code"], parent["lynkr.status"]) == ("POST", 200, "ok")
    assert parent["lynkr.request.id"].startswith("req_")
    traced = next(message for _, message in collector.requests if isinstance(message, ExportTraceServiceRequest))
    resource = attributes(traced.resource_spans[0].resource)
    assert (resource["service.name"], resource["telemetry.sdk.language"]) == ("lynkr", "python")


async def test_metrics_say_what_the_conventions_name(
    scripted_provider: ScriptedProvider, collector: Collector, tmp_path: Path
) -> None:
    scripted_provider.then(Script(status=500, body=b"{}"))
    with serve(tmp_path, scripted_provider, collector) as running:
        for _ in range(3):
            await asyncio.to_thread(post, running.url, "mixed")
        await asyncio.to_thread(collector.until, lambda: count(collector, "gen_ai.client.operation.duration") == 4)
        told = collector.metrics()
    assert {name: metric.unit for name, metric in told.items()} == {
        "gen_ai.client.operation.duration": "s", "gen_ai.client.operation.time_to_first_chunk": "s",
        "gen_ai.client.token.usage": "{token}", "lynkr.requests": "{request}", "lynkr.cost": "{USD}",
        "lynkr.plugin.calls": "{call}", "lynkr.plugin.errors": "{error}", "lynkr.plugin.seconds": "s", "lynkr.plugin.health": "1",
    }  # fmt: skip
    points = told["gen_ai.client.operation.duration"].histogram.data_points
    by = {(attributes(p)["gen_ai.request.model"], attributes(p).get("error.type")): p.count for p in points}
    assert by == {("m", "server"): 1, ("n", None): 1, ("m", None): 2}
    assert all(len(p.bucket_counts) == len(p.explicit_bounds) + 1 and sum(p.bucket_counts) == p.count for p in points)
    used = told["gen_ai.client.token.usage"].histogram
    assert {attributes(p)["gen_ai.token.type"] for p in used.data_points} == {"input", "output"}
    assert used.aggregation_temporality == 2
    assert sum(p.as_double for p in told["lynkr.requests"].sum.data_points) == 3
    assert told["lynkr.requests"].sum.is_monotonic


async def test_metrics_say_how_plugins_fare(scripted_provider: ScriptedProvider, collector: Collector, tmp_path: Path) -> None:
    """By plugin and hook, both of which only a configuration names: calls, errors, time and state."""
    with serve(tmp_path, scripted_provider, collector) as running:
        for _ in range(3):
            await asyncio.to_thread(post, running.url, "mixed")
        await asyncio.to_thread(collector.until, lambda: value(collector, "calls", "post_response") == 3)
        assert (value(collector, "errors", "post_response"), value(collector, "calls", "reserve")) == (0, 3)
        assert 0 < value(collector, "seconds", "post_response") < PATIENCE
        metrics = collector.metrics()
    assert metrics["lynkr.plugin.calls"].sum.is_monotonic
    states = [attributes(point) for point in metrics["lynkr.plugin.health"].gauge.data_points]
    hooks = [("sink.otel", hook, "on") for hook in ("post_response", "reserve")]
    assert sorted((one["lynkr.plugin"], one["lynkr.hook"], one["lynkr.state"]) for one in states) == hooks


def value(collector: Collector, name: str, hook: str) -> float:
    metric = collector.metrics().get(f"lynkr.plugin.{name}")
    points = metric.sum.data_points if metric else ()
    return sum(point.as_double for point in points if attributes(point)["lynkr.hook"] == hook)


def count(collector: Collector, name: str) -> int:
    metric = collector.metrics().get(name)
    return sum(point.count for point in metric.histogram.data_points) if metric else 0


async def test_no_prompt_and_no_key_is_told(scripted_provider: ScriptedProvider, collector: Collector, tmp_path: Path) -> None:
    with serve(tmp_path, scripted_provider, collector, "identity = true\n") as running:
        scripted_provider.then(Script(status=401, body=f'{{"error": {{"message": "bad key {SECRET}"}}}}'.encode()))
        for model in ("mixed", "up/m", "nobody-has-this"):
            await asyncio.to_thread(post, running.url, model, authorization=f"Bearer {SECRET}")
        await asyncio.to_thread(collector.until, lambda: len(collector.spans()) == 7)
        await asyncio.to_thread(collector.until, collector.metrics)
    text = "".join(str(message) for _, message in collector.requests)
    assert [word for word in (SECRET, PROMPT) if word in text] == []
    assert {headers["x-tenant"] for headers, _ in collector.requests} == {SECRET}


NONSENSE = (
    "00-" + "0" * 32 + "-b7ad6b7169203331-00", "nonsense", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-00",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "x" * 10_000,
)  # fmt: skip


async def test_the_caller_decides_whether_its_trace_is_kept_and_nonsense_does_not(
    scripted_provider: ScriptedProvider, collector: Collector, tmp_path: Path
) -> None:
    with serve(tmp_path, scripted_provider, collector) as running:
        for parent in (PARENT[:-1] + "0", *NONSENSE, PARENT):
            assert await asyncio.to_thread(post, running.url, "up/m", traceparent=parent) == 200
        await asyncio.to_thread(collector.until, lambda: len(collector.spans()) == 12)
    traces = [span.trace_id.hex() for span in collector.spans()[::2]]
    assert traces.count(PARENT[3:35]) == 1
    announced = [request.headers["traceparent"] for request in scripted_provider.requests]
    assert [told[-2:] for told in announced] == ["00"] + ["01"] * 6
    assert (announced[0][3:35], [told[3:35] for told in announced[1:]]) == (PARENT[3:35], traces)


async def test_a_collector_that_is_down_loses_nothing_but_telemetry(scripted_provider: ScriptedProvider, tmp_path: Path) -> None:
    down = Collector()
    down.close()
    with serve(tmp_path, scripted_provider, down, "queue = 10\n") as running:
        statuses = [await asyncio.to_thread(post, running.url, "up/m", stream=bool(n % 2)) for n in range(20)]
        assert set(statuses) == {200}
        assert running.stop() == 0
    assert running.said.count("did not take telemetry") <= 2
    assert SECRET not in running.said


async def test_what_a_collector_could_not_take_comes_again(
    scripted_provider: ScriptedProvider, collector: Collector, tmp_path: Path
) -> None:
    collector.answers = [503, 429]
    with serve(tmp_path, scripted_provider, collector, "metrics = false\n") as running:
        await asyncio.to_thread(post, running.url, "up/m")
        await asyncio.to_thread(collector.until, lambda: len(collector.spans()) == 2)


async def test_what_waits_is_sent_at_the_end(scripted_provider: ScriptedProvider, collector: Collector, tmp_path: Path) -> None:
    config = CONFIG.replace("every = 0.1", "every = 3600").replace("metrics_every = 0.2", "metrics_every = 3600")
    (tmp_path / "lynkr.toml").write_text(config.format(up=scripted_provider.url, collector=collector.url))
    with gateway(cwd=tmp_path) as running:
        for _ in range(3):
            await asyncio.to_thread(post, running.url, "up/m")
        assert collector.requests == []
        await asyncio.to_thread(stop, running)
    assert len(collector.spans()) == 6
    assert count(collector, "gen_ai.client.operation.duration") == 3


def stop(running: Gateway) -> None:
    assert running.stop() == 0
