"""A collector: takes what is sent over OTLP/HTTP and decodes it with OpenTelemetry's own messages."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lynkr_core.testing.waiting import PATIENCE

MESSAGES: dict[str, Any] = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


class Collector:
    """`answers`: the statuses of the next requests; then 200. `requests`: the headers and the message of each."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.requests: list[tuple[dict[str, str], Any]] = []
        outer = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
                status = outer.answers.pop(0) if outer.answers else 200
                if status == 200:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    outer.requests.append((headers, MESSAGES[self.path].FromString(body)))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self) -> list[Any]:
        told = [message for _, message in self.requests if isinstance(message, ExportTraceServiceRequest)]
        return [s for message in told for r in message.resource_spans for scope in r.scope_spans for s in scope.spans]

    def metrics(self) -> dict[str, Any]:
        """The newest of each name."""
        told = [message for _, message in self.requests if isinstance(message, ExportMetricsServiceRequest)]
        return {
            m.name: m for message in told for r in message.resource_metrics for scope in r.scope_metrics for m in scope.metrics
        }

    def until(self, holds: Callable[[], Any]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, [span.name for span in self.spans()]
            time.sleep(0.02)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def attributes(of: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in of.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.close()
