"""A short soak: two thousand requests, every front, a faulty provider, callers that leave."""

from __future__ import annotations

import pytest

from .soak import Report, soak

REQUESTS = 2000
WARM_UP = 10.0
"""MB that the process may still gain in so short a run; the long one has the exact bound."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return soak(tmp_path_factory.mktemp("soak"), REQUESTS)


def test_every_request_has_its_record(report: Report) -> None:
    assert report.sent == REQUESTS
    assert sum(report.recorded.values()) == REQUESTS
    assert report.unrecorded == 0


def test_faults_were_on_and_callers_left(report: Report) -> None:
    assert report.recorded["cut"] > 0
    assert report.recorded["cancelled"] > 0


def test_nearly_all_callers_have_their_answer(report: Report) -> None:
    """With two candidates each, a failure has to meet both."""
    stayed = REQUESTS - report.statuses["left"]
    assert report.statuses["200"] / stayed > 0.98
    assert "internal" not in report.statuses


def test_no_task_and_no_socket_is_left(report: Report) -> None:
    assert report.tasks[1] <= report.tasks[0]
    assert report.sockets[1] <= report.sockets[0]


def test_memory_stays_where_it_was(report: Report) -> None:
    assert report.growth < WARM_UP
