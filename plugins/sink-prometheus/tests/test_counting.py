"""How labels stay few, and what outlives a configuration or is told by several workers."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from lynkr_core.exchange import ANONYMOUS, Outcome
from lynkr_core.remarks import save
from lynkr_core.request import Usage
from lynkr_core.testing import factories
from lynkr_core.testing.process import Gateway, gateway
from lynkr_core.testing.waiting import PATIENCE
from lynkr_sink_prometheus import PrometheusSink, plugin
from lynkr_sink_prometheus.family import decode, encode, page

from .test_prometheus import get, post, total

FREE, CHEAP, LARGE, _ = factories.candidates()
BODY = {"model": "auto", "messages": []}


def made(**table: int) -> PrometheusSink:
    return factories.build(plugin, table, factories.context("prometheus", "sink"))


def text(sink: PrometheusSink) -> str:
    return page([sink.own()], "")[0].decode()


def test_further_combinations_of_labels_are_counted_as_other() -> None:
    sink = made(max_series=3)
    for number in range(50):
        exchange = factories.exchange(BODY)
        exchange.tier = f"tier-{number}"
        sink.post_response(exchange, factories.outcome("ok", chosen=CHEAP))
    told = text(sink)
    assert total(told, "lynkr_requests_total") == 50
    assert total(told, "lynkr_requests_total", tier="other", provider="other", principal_class="other", status="ok") == 47
    assert total(told, "lynkr_series_folded_total") == 47
    assert told.count("lynkr_requests_total{") == 4


def test_models_that_nobody_knows_share_one_label() -> None:
    sink = made()
    for number in range(3000):
        chosen = factories.candidate(f"cloud/made-up-{number}")
        sink.post_response(factories.exchange(BODY), factories.outcome("ok", chosen=chosen))
    assert total(text(sink), "lynkr_requests_total", provider="cloud", model="other") == 3000
    assert text(sink).count("lynkr_requests_total{") == 1


def test_what_is_no_name_is_no_label() -> None:
    sink = made()
    exchange = factories.exchange(BODY)
    exchange.tier = 'a\nlynkr_fake 1\n"'
    sink.post_response(exchange, factories.outcome("ok"))
    assert total(text(sink), "lynkr_requests_total", tier="other") == 1
    assert "fake" not in text(sink)


def test_savings_queues_and_retries() -> None:
    sink = made()
    exchange = factories.exchange(BODY)
    save(exchange, "compressor.x", 1000)
    save(exchange, "cache.y", 10, 0.5)
    exchange.queued += 0.2
    attempts = [factories.outcome("ok", chosen=one).attempts[0] for one in (CHEAP, CHEAP, LARGE, CHEAP)]
    usage = Usage(input_tokens=10, output_tokens=5)
    sink.post_response(exchange, Outcome(status="ok", http_status=200, candidate=CHEAP, usage=usage, attempts=attempts))
    told = text(sink)
    assert total(told, "lynkr_saved_tokens_total", plugin="compressor.x") == 1000
    assert total(told, "lynkr_saved_usd_total", plugin="compressor.x") == 1000 * 0.2 / 1e6
    assert total(told, "lynkr_saved_usd_total", plugin="cache.y") == 0.5
    assert total(told, "lynkr_queue_seconds_count") == 1
    assert (total(told, "lynkr_retries_total"), total(told, "lynkr_fallbacks_total")) == (2, 1)
    assert total(told, "lynkr_attempts_total") == 4


def test_two_gateways_in_one_process_count_for_themselves() -> None:
    one, two = made(), made()
    one.post_response(factories.exchange(BODY), factories.outcome())
    assert ANONYMOUS.principal_class is None
    assert (total(text(one), "lynkr_requests_total", principal_class="none"), text(two).count("requests_total{")) == (1, 0)


CONFIG = """
[server]
list_models = false
workers = {workers}
[provider.echo]
models = ["echo"]
[sink.prometheus]
"""


def until(running: Gateway, name: str, value: float) -> str:
    end = time.monotonic() + PATIENCE
    while total(told := get(f"{running.url}/metrics")[2], name) != value:
        assert time.monotonic() < end, told
        time.sleep(0.05)
    return told


def test_counting_goes_on_when_a_configuration_takes_the_place_of_another(tmp_path: Path) -> None:
    file = tmp_path / "lynkr.toml"
    file.write_text(CONFIG.format(workers=1))
    with gateway(cwd=tmp_path) as running:
        assert [post(running.url, "echo/echo") for _ in range(3)] == [200] * 3
        before = get(f"{running.url}/metrics")[2]
        file.write_text(CONFIG.format(workers=1) + "max_series = 7\n")
        running.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + PATIENCE
        while (after := get(f"{running.url}/metrics")[2]).partition("config_info{")[2][:20] in before:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert total(after, "lynkr_requests_total", model="echo") == 3
        assert post(running.url, "echo/echo") == 200
        until(running, "lynkr_requests_total", 4)


def test_whichever_worker_is_asked_tells_of_all(tmp_path: Path) -> None:
    (tmp_path / "lynkr.toml").write_text(CONFIG.format(workers=2) + '[store.sqlite]\npath = "a.db"\n')
    with gateway(cwd=tmp_path) as running:
        assert [post(running.url, "echo/echo") for _ in range(40)] == [200] * 40
        told = until(running, "lynkr_requests_total", 40)
        assert total(told, "lynkr_workers") == 4, "each of the two tells of two"
        for _ in range(20):
            assert total(get(f"{running.url}/metrics")[2], "lynkr_requests_total") == 40


def test_what_one_worker_writes_another_can_read() -> None:
    sink = made()
    sink.post_response(factories.exchange(BODY), factories.outcome("ok", chosen=FREE))
    assert decode(encode(sink.own())).families == sink.own().families
