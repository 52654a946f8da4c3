"""The families: what was counted of requests, and what the kernel and its plugins tell of themselves when they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from lynkr_sink_prometheus.family import Family, counted, gauged, spread
from lynkr_sink_prometheus.numbers import Histogram, Labels, Numbers, Series

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

VERSION = version("lynkr-core")
REQUEST = Labels._fields
MODEL = ("provider", "model")
STATES = ("closed", "half open", "open", "cooling down")
HEALTH = ("on", "failing", "off", "trial")
MOST_STATUS = 50
"""Numbers that one plugin tells of itself."""
Named = Callable[[str], tuple[str, str]]
"""From `provider/model` to the two labels."""


def families(numbers: Numbers, kernel: Kernel | None, named: Named, subjects: Iterable[str]) -> list[Family]:
    """`subjects`: the models whose breakers are told of."""
    found = [*of_requests(numbers), *of_attempts(numbers)]
    if kernel is not None:
        found += [*of_kernel(kernel), *of_plugins(kernel), *of_breakers(kernel, named, subjects)]
    return found


def of_requests(numbers: Numbers) -> Iterator[Family]:
    series = list(numbers.series.items())
    for name, text, value in COUNTED:
        yield counted(f"lynkr_{name}", text, REQUEST, [(labels, n) for labels, one in series if (n := value(one))])
    for name, text, histogram in SPREAD:
        yield spread(f"lynkr_{name}", text, REQUEST, [(labels, histogram(one)) for labels, one in series])
    codes = [((str(code),), n) for code, n in numbers.codes.items()]
    yield counted("lynkr_responses", "Answers by HTTP status.", ["code"], codes)


COUNTED: tuple[tuple[str, str, Callable[[Series], float]], ...] = (
    ("requests", "Requests that are over.", lambda one: sum(one.seconds.counts)),
    ("cache_read_tokens", "Input that was read from a provider's prompt cache.", lambda one: one.cache_read),
    ("cache_write_tokens", "Input that was written to a provider's prompt cache.", lambda one: one.cache_write),
    ("reasoning_tokens", "Output that was reasoning.", lambda one: one.reasoning),
    ("unpriced_requests", "Requests with tokens whose price is not known.", lambda one: one.unpriced),
    ("losses", "What requests lost on their way to a provider.", lambda one: one.losses),
    ("resumed", "Cut streams that another attempt went on with.", lambda one: one.resumed),
)
SPREAD: tuple[tuple[str, str, Callable[[Series], Histogram]], ...] = (
    ("request_duration_seconds", "From the request to the end of its answer.", lambda one: one.seconds),
    ("first_token_seconds", "From the request to the first content.", lambda one: one.first),
    ("input_tokens", "Tokens of a request's input, cached ones too.", lambda one: one.input),
    ("output_tokens", "Tokens of an answer.", lambda one: one.output),
    ("cost_usd", "What a request cost, where its price is known.", lambda one: one.usd),
)


def of_attempts(numbers: Numbers) -> Iterator[Family]:
    tries = list(numbers.tries.items())
    results = [((*key, result), n) for key, one in tries for result, n in list(one.results.items())]
    yield counted("lynkr_attempts", "Attempts by how they ended.", (*MODEL, "result"), results)
    after = [(key, one.fallbacks) for key, one in tries]
    yield counted("lynkr_fallbacks", "Attempts at this model because another one had failed.", MODEL, after)
    yield counted(
        "lynkr_retries", "Attempts at this model after it had failed.", MODEL, [(key, one.retries) for key, one in tries]
    )
    yield from of_savings(numbers)
    yield spread("lynkr_queue_seconds", "Time in lynkr's queues, of those that waited.", (), [((), numbers.queue)])
    yield counted("lynkr_series_folded", "Requests counted as `other` because of max_series.", (), [((), numbers.folded)])


def of_savings(numbers: Numbers) -> Iterator[Family]:
    yield counted("lynkr_cache_hits", "Answers from a cache.", ["kind"], [((kind,), n) for kind, n in numbers.cached.items()])
    saved = list(numbers.saved.items())
    yield counted("lynkr_saved_tokens", "Tokens that a plugin saved.", ["plugin"], [((name,), n[0]) for name, n in saved])
    usd = [((name,), n[1]) for name, n in saved]
    yield counted("lynkr_saved_usd", "What a plugin saved, as far as it is known.", ["plugin"], usd)


def of_kernel(kernel: Kernel) -> Iterator[Family]:
    told = kernel.status()
    yield gauged("lynkr_config_info", "The configuration that serves.", ("hash", "version"), [((kernel.config.hash, VERSION), 1)])
    yield gauged("lynkr_workers", "Processes that serve together.", (), [((), kernel.config.server.workers)])
    yield gauged("lynkr_attempts_in_flight", "Attempts under way.", (), [((), told["attempts"])])


def of_plugins(kernel: Kernel) -> Iterator[Family]:
    calls = [((call.plugin, call.hook), call) for call in kernel.hooks.all]
    labels = ("plugin", "hook")
    yield counted("lynkr_plugin_calls", "Calls of a plugin.", labels, [(key, call.calls) for key, call in calls])
    yield counted("lynkr_plugin_errors", "Calls that raised.", labels, [(key, call.errors) for key, call in calls])
    text = "Time that calls took; of those that never wait one in 64 is timed, and stands for the others."
    yield counted("lynkr_plugin_seconds", text, labels, [(key, call.seconds) for key, call in calls])
    yield gauged(
        "lynkr_plugin_off", "1 while switched off after errors in a row.", labels, [(key, call.off) for key, call in calls]
    )
    now = [(key, call.told()["state"]) for key, call in calls]
    states = [((*key, state), float(state == is_in)) for key, is_in in now for state in HEALTH]
    yield gauged("lynkr_plugin_state", "1 for the state that a plugin's hook is in.", (*labels, "state"), states)
    rows = [((plugin, name), value) for plugin, status in kernel.statuses().items() for name, value in figures(status)]
    yield gauged("lynkr_plugin_status", "Numbers that a plugin tells of itself.", ("plugin", "name"), rows)


def figures(status: Any) -> list[tuple[str, float]]:
    """The numbers at the top of a plugin's status: deeper ones may be named by callers."""
    items = cast("Mapping[str, Any]", status).items() if isinstance(status, Mapping) else ()
    return [(name, float(value)) for name, value in items if isinstance(value, (int, float))][:MOST_STATUS]


def of_breakers(kernel: Kernel, named: Named, subjects: Iterable[str]) -> Iterator[Family]:
    """Of every plugin that tells who is left alone."""
    boards = [board for status in kernel.statuses().values() if (board := left_alone(status)) is not None]
    if not boards:
        return
    states = {named(subject): "closed" for subject in subjects}
    states |= {named(subject): state for board in boards for subject, state in board.items()}
    rows = [((*who, state), float(state == now)) for who, now in states.items() for state in STATES]
    text = "1 for the state that it is in; a model's, or with an empty model a whole credential's."
    yield gauged("lynkr_breaker_state", text, (*MODEL, "state"), rows)


def left_alone(status: Any) -> dict[str, str] | None:
    """The states of those that a breaker leaves alone; None for a plugin that is no breaker."""
    board: Any = cast("Mapping[str, Any]", status).get("left_alone") if isinstance(status, Mapping) else None
    if not isinstance(board, Mapping):
        return None
    rows = cast("Mapping[str, Mapping[str, Any]]", board).items()
    return {subject: str(row.get("state", "open")) for subject, row in rows}
