"""The contract with plugins: every hook, when it is called, what it gets and what its answer means.

A plugin implements a hook by having a method of its name. Per-request hooks may be `def` or `async def` and may take fewer arguments than
stand here, in any order. `None` means: nothing to say. Calls are made in the order of `order.py`; errors are treated as `hooks.py` says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from lynkr_core.errors import UpstreamError
from lynkr_core.events import Event
from lynkr_core.exchange import (
    Candidate,
    Exchange,
    Outcome,
    Principal,
    Reject,
    Reply,
    Reservation,
    Score,
    Selection,
    Verdict,
)  # fmt: skip
from lynkr_core.request import Request, Response

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

hookspec = pluggy.HookspecMarker("lynkr")


@hookspec(firstresult=True)
def authenticate(exchange: Exchange) -> Principal | Reject | None:
    """Who is calling? Called once per exchange, before everything. First answer wins. `None`: this key is nothing of mine.

    Who is known to no plugin is refused (401) unless `[server] allow_anonymous` is on. An error refuses the request (503).
    A plain `def` that has to ask somebody now and then may return a coroutine that gives its answer.
    """


@hookspec(firstresult=True)
def pre_route(exchange: Exchange) -> Reply | Reject | None:
    """May this go on? Called once per exchange. `Reply` answers at once, `Reject` refuses; first answer wins.

    An error of a policy refuses the request (503), any other plugin's is skipped. A plugin that may have to wait for the answer to somebody
    else's request says for how many seconds in its attribute `patience`: they come on top of those that a hook may take.
    """


@hookspec
def score(exchange: Exchange, candidates: Sequence[Candidate]) -> Score | float | Iterable[Score] | None:
    """How demanding is the request, 0 to 100? Called once per exchange; all answers are collected.

    Pure: no I/O. Who has to ask somebody does so in `pre_route`, and reads here what came.
    """


@hookspec(firstresult=True)
def select_provider(exchange: Exchange, candidates: Sequence[Candidate], scores: Sequence[Score]) -> Selection | None:
    """In which order are the candidates tried? Called once per exchange; first answer wins; none: as configured.

    Called once more where a `reserve` has refused and named another model in `exchange.instead`: those are other candidates.

    A selection may leave candidates out, with the reason in `removed`. It cannot add any.
    """


@hookspec
def revise_selection(exchange: Exchange, selection: Selection) -> Selection | None:
    """The last word on the order, by whoever has to know what all selectors say together: a conversation that stays with its model.

    Called once per exchange that needs a provider; each plugin gets the last one's result. It may reorder and leave out, never add.
    """


@hookspec
def reserve(exchange: Exchange, candidate: Candidate) -> Reservation | Reject | None:
    """Set money or capacity aside for one attempt. Called before each; all or none: one `Reject` releases the others.

    An error counts as a refusal (503). Each reservation is settled exactly once. A plain `def` may return a coroutine that gives its answer.
    """


@hookspec
def transform_request(exchange: Exchange, request: Request, candidate: Candidate) -> Request | None:
    """Change what goes to this candidate. Called before each attempt, always from the caller's original.

    Each plugin gets the last one's result. An error skips the plugin.
    """


@hookspec(firstresult=True)
def attempt_failed(exchange: Exchange, candidate: Candidate, error: UpstreamError) -> Verdict | None:
    """Retry, try the next candidate, or fail? First answer wins; none: the table in `errors.py` decides.

    Called once for each attempt that fails before its answer begins; not when the caller leaves. On `/v1/{provider}/…`, where nothing is
    tried again, the answer does not matter.
    """


@hookspec
def transform_response(exchange: Exchange, response: Response) -> Response | None:
    """Change a whole answer before the caller gets it. Called once for each that came whole. Each plugin gets the last one's result."""


@hookspec
def transform_stream(exchange: Exchange, events: AsyncIterator[Event]) -> AsyncIterator[Event] | None:
    """Wrap a streamed answer. Called once for each that begins. Neither async nor a generator itself: it returns an iterator.

    An error skips the plugin.
    """


@hookspec
def observe_event(exchange: Exchange, event: Event) -> None:
    """See each event of a streamed answer. Synchronous; can neither change nor delay it."""


@hookspec
def settle(reservation: Reservation, outcome: Outcome) -> None:
    """Book what an attempt really cost. Called exactly once for each of the plugin's own reservations, also on cancel."""


@hookspec
def post_response(exchange: Exchange, outcome: Outcome) -> None:
    """The exchange is over, whatever happened. Called exactly once, after the caller has got everything.

    One that was refused before its body was looked at has no `envelope`: it is None.
    """


@hookspec
def register_routes(kernel: Kernel) -> Iterable[Any] | None:
    """HTTP routes (`lynkr_core.Route`) to serve beside the API. Called once at start."""


@hookspec
def register_commands(cli: Any) -> None:
    """Commands of the `lynkr` tool: `cli` is the cyclopts `App`. Called once when the tool starts."""
