"""What can be told at all: the names that a process with everything in it tells."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lynkr_sink_prometheus.family import Worker, page
from lynkr_sink_prometheus.numbers import Labels, Numbers
from lynkr_sink_prometheus.telling import families

KERNEL = {
    "lynkr_config_info", "lynkr_workers", "lynkr_attempts_in_flight", "lynkr_plugin_calls_total", "lynkr_plugin_errors_total",
    "lynkr_plugin_seconds_total", "lynkr_plugin_off", "lynkr_plugin_state", "lynkr_plugin_status", "lynkr_breaker_state",
}  # fmt: skip
"""What a real gateway tells of itself: the tests with one see to these."""


def full() -> Numbers:
    numbers = Numbers()
    numbers.limit = 10
    one = numbers.of(Labels("p", "m", "simple", "ok", "none"))
    for histogram in (one.seconds, one.first, one.input, one.output, one.usd, numbers.queue):
        histogram.add(0.5)
    one.cache_read = one.cache_write = one.reasoning = one.losses = one.resumed = one.unpriced = 1
    numbers.tried("p", "m").add("ok")
    numbers.codes[200] = numbers.cached["hit"] = 1
    numbers.save("compressor.x", 10, 0.1)
    return numbers


@pytest.fixture(scope="session")
def every_name() -> set[str]:
    body, _ = page([Worker("", families(full(), None, lambda id: (id, ""), ()))], "")
    told = text_string_to_metric_families(body.decode())
    return KERNEL | {sample.name for family in told for sample in family.samples}
