"""A real Prometheus scrapes a real gateway, and is asked what the dashboard asks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lynkr_core.testing.process import Gateway, ask, gateway, lynkr
from lynkr_core.testing.waiting import PATIENCE

KEY = "admin-planted-77aa"
PLANTED = "sk-planted-31f0"
CONFIG = f"""
[server]
admin_key = "{KEY}"
list_models = false
[provider.echo]
models = ["echo"]
[provider.dead]
use = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
api_key = "{PLANTED}"
models = ["gone"]
[models]
mixed = ["dead/gone", "echo/echo"]
[prices]
"echo/echo" = {{ input = 1000, output = 2000 }}
[policy.breaker]
least = 1
pause = 600
[policy.concurrency]
[sink.prometheus]
"""
ASKED = ("echo/echo", "mixed", "echo/echo", f"echo/{PLANTED}", "nobody-has-this")


def post(url: str, model: str, stream: bool = False) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": f"planted-prompt {PLANTED}"}], "stream": stream}
    return ask(f"{url}/v1/chat/completions", body).status


def get(url: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    answer = ask(url, **headers)
    return answer.status, answer.headers.get("content-type", ""), answer.text


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "lynkr.toml").write_text(CONFIG)
    with gateway(cwd=folder) as running:
        assert [post(running.url, model) for model in ASKED] == [200, 200, 200, 200, 404]
        assert post(running.url, "echo/echo", stream=True) == 200
        yield running


@pytest.fixture(scope="module")
def metrics(served: Gateway) -> str:
    status, content_type, text = get(f"{served.url}/metrics", authorization=f"Bearer {KEY}")
    assert (status, content_type.partition(";")[0]) == (200, "text/plain")
    return text


def total(text: str, metric: str, /, **labels: str) -> float:
    wanted = set(labels.items())
    return sum(value for (found, given), value in samples(text).items() if found == metric and wanted <= set(given))


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("lynkr_requests_total", {}, 6),
        ("lynkr_requests_total", {"model": "echo", "provider": "echo", "status": "ok"}, 4),
        ("lynkr_requests_total", {"status": "refused", "provider": "none", "model": "none"}, 1),
        ("lynkr_requests_total", {"model": "other", "provider": "echo"}, 1),
        ("lynkr_request_duration_seconds_count", {"model": "echo"}, 4),
        ("lynkr_first_token_seconds_count", {"status": "ok"}, 5),
        ("lynkr_cost_usd_count", {"model": "echo"}, 4),
        ("lynkr_unpriced_requests_total", {"model": "other"}, 1),
        ("lynkr_responses_total", {"code": "404"}, 1),
        ("lynkr_attempts_total", {"provider": "dead", "model": "gone", "result": "unavailable"}, 1),
        ("lynkr_attempts_total", {"provider": "echo", "model": "echo", "result": "ok"}, 4),
        ("lynkr_fallbacks_total", {"provider": "echo", "model": "echo"}, 1),
        ("lynkr_breaker_state", {"provider": "dead", "model": "gone", "state": "open"}, 1),
        ("lynkr_breaker_state", {"provider": "dead", "model": "gone", "state": "closed"}, 0),
        ("lynkr_breaker_state", {"provider": "echo", "model": "echo", "state": "closed"}, 1),
        ("lynkr_plugin_calls_total", {"plugin": "sink.prometheus", "hook": "post_response"}, 6),
        ("lynkr_plugin_state", {"plugin": "sink.prometheus", "hook": "post_response", "state": "on"}, 1),
        ("lynkr_plugin_state", {"plugin": "sink.prometheus", "state": "off"}, 0),
        ("lynkr_plugin_status", {"plugin": "policy.concurrency", "name": "waiting"}, 0),
        ("lynkr_attempts_in_flight", {}, 0),
    ],
)  # fmt: skip
def test_what_happened_is_told(metrics: str, name: str, labels: dict[str, str], value: float) -> None:
    assert total(metrics, name, **labels) == value


def test_the_configuration_is_told(served: Gateway, metrics: str) -> None:
    config = json.loads(get(f"{served.url}/health/ready")[2])["config"]
    assert total(metrics, "lynkr_config_info", hash=config) == 1


def test_money_and_tokens_add_up(metrics: str) -> None:
    asked, said = (total(metrics, f"lynkr_{name}_tokens_sum", model="echo") for name in ("input", "output"))
    assert total(metrics, "lynkr_cost_usd_sum") == pytest.approx((asked * 1000 + said * 2000) / 1e6)


def test_what_callers_write_and_what_is_secret_is_nowhere(metrics: str) -> None:
    assert [word for word in (PLANTED, KEY, "planted-prompt", "nobody-has-this") if word in metrics] == []


def test_the_route_needs_the_admin_key_where_there_is_one(served: Gateway) -> None:
    assert get(f"{served.url}/metrics")[0] == 401


def test_open_metrics_is_spoken_too(served: Gateway) -> None:
    accept = "application/openmetrics-text;version=1.0.0"
    _, content_type, text = get(f"{served.url}/metrics", authorization=f"Bearer {KEY}", accept=accept)
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


# the dashboard


def dashboard() -> dict[str, Any]:
    return json.loads(files("lynkr_sink_prometheus").joinpath("grafana.json").read_text())


def queries() -> list[str]:
    found = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    return [*found, *[note["expr"] for note in dashboard()["annotations"]["list"]]]


def filled(query: str) -> str:
    """As Grafana sends it."""
    for name, value in (("$__rate_interval", "1m"), ("$__range", "1h"), ("$provider", ".*"), ("$class", ".*")):
        query = query.replace(name, value)
    assert "$" not in query
    return query


def test_the_command_prints_the_dashboard(tmp_path: Path) -> None:
    (tmp_path / "lynkr.toml").write_text(CONFIG)
    done = lynkr("grafana", cwd=tmp_path)
    assert json.loads(done.stdout) == dashboard()


class Prometheus:
    """The program, scraping one target each second."""

    def __init__(self, folder: Path, target: str) -> None:
        self.log = folder / "log"
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [
                {"job_name": "lynkr", "authorization": {"credentials": KEY}, "static_configs": [{"targets": [target]}]}
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--web.listen-address=127.0.0.1:0"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.address = ""

    def start(self) -> None:
        """Returns when it is ready: it listens before it can answer."""
        end = time.monotonic() + 2 * PATIENCE
        while not self.address or get(f"http://{self.address}/-/ready")[0] != 200:
            assert time.monotonic() < end, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            found = re.search(r'"Listening on" address=(127\.0\.0\.1:\d+)', self.log.read_text())
            self.address = found[1] if found else ""
            time.sleep(0.05)

    def ask(self, path: str, **params: str) -> Any:
        """The `data` of its answer; an `AssertionError` with its words for a query that it does not understand."""
        status, _, body = get(f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(params)}")
        assert status == 200, body
        return json.loads(body)["data"]

    def value(self, query: str) -> float | None:
        found = self.ask("query", query=query)["result"]
        return float(found[0]["value"][1]) if found else None

    def until(self, query: str, value: float) -> None:
        end = time.monotonic() + 2 * PATIENCE
        while self.value(query) != value:
            assert time.monotonic() < end, f"{query} is {self.value(query)}"
            assert self.process.poll() is None
            time.sleep(0.1)


@pytest.fixture(scope="module")
def prometheus(served: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None:
        pytest.skip("Prometheus is not installed")
    folder = tmp_path_factory.mktemp("tsdb")
    running = Prometheus(folder, served.address)
    try:
        running.start()
        running.until("sum(lynkr_requests_total)", 6)
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def test_prometheus_has_every_sample(prometheus: Prometheus, metrics: str) -> None:
    assert prometheus.value("up") == 1
    names = {name for name, _ in samples(metrics)}
    assert names <= set(prometheus.ask("label/__name__/values"))
    assert prometheus.value('lynkr_breaker_state{provider="dead",state="open"}') == 1
    assert [target["lastError"] for target in prometheus.ask("targets")["activeTargets"]] == [""]


def test_prometheus_understands_every_query_of_the_dashboard(prometheus: Prometheus) -> None:
    for query in queries():
        prometheus.ask("query", query=filled(query))


def test_the_dashboard_asks_for_metrics_that_there_are(prometheus: Prometheus, every_name: set[str]) -> None:
    scraped = set(prometheus.ask("label/__name__/values"))
    asked = {name for query in queries() for name in re.findall(r"\blynkr_\w+", query)}
    assert asked - every_name == set()
    elsewhere = r"cache|saved|queue|reasoning|losses|resumed"  # needs plugins and providers that are not here
    assert {name for name in asked - scraped if not re.search(elsewhere, name)} == set()


def test_the_panels_show_something(prometheus: Prometheus) -> None:
    by_title = {panel["title"]: panel for panel in dashboard()["panels"]}
    for title in ("Left alone", "Configuration", "Under way"):
        assert prometheus.ask("query", query=filled(by_title[title]["targets"][0]["expr"]))["result"], title
