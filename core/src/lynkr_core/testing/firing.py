"""How often each hook is called, by route and by what becomes of the request: of a plugin that stands before whatever answers or refuses.

`plain/stream` where the two differ, – where there is no such case. Of `observe_event` the calls for one event are counted, of `settle`
those for all reservations of the exchange. `register_routes` is called once when the gateway starts, `register_commands` once when the
tool does. The test suite asks for every cell, over real connections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct


class Table(Struct, frozen=True):
    """`rows`: by hook, how often it is called in each of the `columns`; `-` where there is no such case."""

    title: str
    text: str
    columns: Sequence[str]
    rows: Mapping[str, str]

    def expected(self, hook: str, column: str, stream: bool) -> int | None:
        """None where there is no such case. Raises `KeyError` for a hook without a row."""
        cell = self.rows[hook].split()[self.columns.index(column)]
        plain, slash, streamed = cell.partition("/")
        told = streamed if stream and slash else plain
        return None if told == "-" else int(told)

    def has(self, column: str, stream: bool) -> bool:
        return self.expected("authenticate", column, stream) is not None


AT_START = {"register_routes": "0 " * 20, "register_commands": "0 " * 20}
"""Never called for a request."""

SITUATIONS: Mapping[str, str] = {
    "answered": "a candidate answers",
    "unreadable": "the body is no request of this API, or too large",
    "no such model": "nobody serves the model that is asked for",
    "by a plugin": "a `pre_route` gives the answer: a cache",
    "unknown": "an `authenticate` refuses",
    "denied": "a `pre_route` refuses",
    "no room": "a `reserve` refuses every candidate; there are two, or one where the route names it",
    "room elsewhere": "a `reserve` refuses the first of two",
    "failed": "the provider's error ends it",
    "fallback": "the first of two fails, the second answers",
    "left": "the caller leaves before the first byte",
    "left midway": "the caller leaves in the middle of a stream",
    "cut": "the provider breaks off in the middle of a stream",
}

FRONT = Table(
    "Routes of the API",
    "Chat completions, responses, messages, embeddings, counts of tokens, and what plugins add to them; in the provider's own API or\n"
    "translated.",
    tuple(SITUATIONS),
    {
        "authenticate": "1  0  1  1  1  1  1  1  1  1  1  -/1  -/1",
        "pre_route": "1  0  1  1  0  1  1  1  1  1  1  -/1  -/1",
        "score": "1  0  0  0  0  0  1  1  1  1  1  -/1  -/1",
        "select_provider": "1  0  0  0  0  0  1  1  1  1  1  -/1  -/1",
        "revise_selection": "1  0  0  0  0  0  1  1  1  1  1  -/1  -/1",
        "reserve": "1  0  0  0  0  0  2  2  1  2  1  -/1  -/1",
        "transform_request": "1  0  0  0  0  0  0  1  1  2  1  -/1  -/1",
        "attempt_failed": "0  0  0  0  0  0  0  0  1  1  0  -/0  -/0",
        "transform_response": "1/0  0  0  0  0  0  0  1/0  0  1/0  0  -/0  -/0",
        "transform_stream": "0/1  0  0  0  0  0  0  0/1  0  0/1  0  -/1  -/1",
        "observe_event": "0/1  0  0  0  0  0  0  0/1  0  0/1  0  -/1  -/1",
        "settle": "1  0  0  0  0  0  2  2  1  2  1  -/1  -/1",
        "post_response": "1  1  1  1  1  1  1  1  1  1  1  -/1  -/1",
        **AT_START,
    },
)

PASSED_ON = Table(
    "A provider's own API, `/v1/{provider}/…`",
    "There is one candidate, nothing is routed or translated, and nothing is tried again.",
    tuple(SITUATIONS),
    {
        "authenticate": "1  -  -  1  1  1  1  -  1  -  1  -/1  -/1",
        "pre_route": "1  -  -  1  0  1  1  -  1  -  1  -/1  -/1",
        "score": "0  -  -  0  0  0  0  -  0  -  0  -/0  -/0",
        "select_provider": "0  -  -  0  0  0  0  -  0  -  0  -/0  -/0",
        "revise_selection": "0  -  -  0  0  0  0  -  0  -  0  -/0  -/0",
        "reserve": "1  -  -  0  0  0  1  -  1  -  1  -/1  -/1",
        "transform_request": "0  -  -  0  0  0  0  -  0  -  0  -/0  -/0",
        "attempt_failed": "0  -  -  0  0  0  0  -  1  -  0  -/0  -/0",
        "transform_response": "0  -  -  0  0  0  0  -  0  -  0  -/0  -/0",
        "transform_stream": "0  -  -  0  0  0  0  -  0  -  0  -/0  -/0",
        "observe_event": "0  -  -  0  0  0  0  -  0  -  0  -/0  -/0",
        "settle": "1  -  -  0  0  0  1  -  1  -  1  -/1  -/1",
        "post_response": "1  -  -  1  1  1  1  -  1  -  1  -/1  -/1",
        **AT_START,
    },
)

ELSEWHERE = Table(
    "All other routes",
    "`/v1/route` decides as a request is decided, and asks nobody. `asked who`: the lists of models, and plugins' routes where the caller\n"
    "has to be known; `open`: `/`, `/health`, and plugins' routes that are public or the operator's.",
    ("decided", "decided by a plugin", "decided: unknown", "decided: denied", "asked who", "asked who: unknown", "open"),
    {
        "authenticate": "1  1  1  1  1  1  0",
        "pre_route": "1  1  0  1  0  0  0",
        "score": "1  0  0  0  0  0  0",
        "select_provider": "1  0  0  0  0  0  0",
        "revise_selection": "1  0  0  0  0  0  0",
        "reserve": "0  0  0  0  0  0  0",
        "transform_request": "0  0  0  0  0  0  0",
        "attempt_failed": "0  0  0  0  0  0  0",
        "transform_response": "0  0  0  0  0  0  0",
        "transform_stream": "0  0  0  0  0  0  0",
        "observe_event": "0  0  0  0  0  0  0",
        "settle": "0  0  0  0  0  0  0",
        "post_response": "0  0  0  0  0  0  0",
        **AT_START,
    },
)

ATTEMPTS: Mapping[str, str] = {
    "retried": "the only candidate fails, is asked again, and answers",
    "hedged": "the first is silent, and another one is asked beside it",
    "hedged, left": "the caller leaves while both are silent",
    "rejected": "an examiner refuses the first answer, the second candidate's is taken",
    "resumed": "another candidate goes on with a cut stream; not where a plugin wraps streams",
    "rounds": "the model calls a tool of lynkr's and is asked again; not where a plugin wraps streams",
    "downgraded": "a `reserve` refuses all, and names another model in their place",
}

SEVERAL = Table(
    "More than one attempt",
    "What is made for one exchange is made once however often it is tried; what is made for an attempt is made for each.",
    tuple(ATTEMPTS),
    {
        "authenticate": "1  1  1  1  -/1  1  1",
        "pre_route": "1  1  1  1  -/1  1  1",
        "score": "1  1  1  1  -/1  1  1",
        "select_provider": "1  1  1  1  -/1  1  2",
        "revise_selection": "1  1  1  1  -/1  1  1",
        "reserve": "2  2  2  2  -/2  2  2",
        "transform_request": "2  2  2  2  -/2  2  1",
        "attempt_failed": "1  0  0  1  -/0  0  0",
        "transform_response": "1/0  1/0  0  2/0  -/0  1/0  1/0",
        "transform_stream": "0/1  0/1  0  0/2  -/-  -/-  0/1",
        "observe_event": "0/1  0/1  0  0/1  -/1  0/1  0/1",
        "settle": "2  2  2  2  -/2  2  2",
        "post_response": "1  1  1  1  -/1  1  1",
        **AT_START,
    },
)

TABLES = (FRONT, PASSED_ON, ELSEWHERE, SEVERAL)
