"""One exchange, looked through: what was found in it, what is masked, and what follows."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from lynkr_core.errors import GatewayError, InvalidRequest
from lynkr_core.exchange import Key
from lynkr_core.request import Request
from lynkr_policy_guardrails.acting import CODE, PLACES, Action, blocked
from lynkr_policy_guardrails.detecting import Detector
from lynkr_policy_guardrails.injection import Injections, wrapped
from lynkr_policy_guardrails.masking import Values
from lynkr_policy_guardrails.scanning import Budget, Exhausted, Finding, Scanner
from lynkr_policy_guardrails.walking import Form, Where, changed

SHORTEST = 4
"""Characters of a text that may hold anything."""
REPEATED = 6
"""Bytes of a value that is masked wherever it stands from there on, whether a rule finds it again or not."""
MOST = 500
"""Values that are looked for so."""


ANSWERED = 4
"""How much more is looked at of an answer, of which pieces are looked at again until they are whole."""


class Means:
    """What all exchanges have in common. `actions` and `scanners` by direction."""

    def __init__(
        self, actions: Mapping[str, Mapping[str, Action]], scanners: Mapping[str, Scanner | None], detectors: Sequence[Detector],
        injections: Injections | None, injected: Action | str, budget: int,
    ) -> None:  # fmt: skip
        self.actions = actions
        self.scanners = scanners
        self.detectors = detectors
        self.injections = injections
        self.injected = injected
        self.budget = budget


class Look:
    """What was found in one exchange. `refusal`: why it goes no further; `local`: why it stays on the operator's machines."""

    def __init__(self, means: Means, values: Values, conversation: tuple[str, str] | None) -> None:
        self.means = means
        self.values = values
        self.conversation = conversation
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.refusal: GatewayError | None = None
        self.local = ""
        self.answering = Budget(means.budget * ANSWERED)
        self._budget = Budget(means.budget)
        self._masked: dict[bytes, bytes] = {}
        self._seen: set[str] = set()

    def through(self, request: Request) -> Request:
        """The request, masked. Texts that were looked at before, in this exchange, are left as they are."""
        try:
            return changed(request, self.change)
        except Exhausted:
            self.refusal = too_much()
            return request

    def unchanging(self, body: str) -> None:
        """A body of which only the bytes are known: nothing can be masked in it, so what would be is refused."""
        data = body.encode("utf-8", "surrogatepass")
        try:
            for found in self._findings(data, "requests", "text"):
                action = self.means.actions["requests"][found.rule]
                self.act(found.rule, "block" if action == "mask" else action, "requests")
        except Exhausted:
            self.refusal = too_much()

    def change(self, text: str, where: Where, form: Form) -> str:
        if len(text) < SHORTEST or text in self._seen:
            return text
        data = text.encode("utf-8", "surrogatepass")
        after = self._masked_in(data, where, form)
        made = text if after is data else after.decode("utf-8", "surrogatepass")
        if where == "tools" and form == "text" and self.means.injections is not None:
            made = self._injected(made)
        self._seen.add(made)
        return made

    def _masked_in(self, data: bytes, where: Where, form: Form) -> bytes:
        data = self._again(data, form) if self._masked else data
        actions = self.means.actions[where]
        pieces: list[bytes] = []
        place = 0
        for found in self._findings(data, where, form):
            action = actions[found.rule]
            self.act(found.rule, action, where)
            if action == "mask":
                written = data[found.start : found.end]
                pieces += (data[place : found.start], self._mask(found.rule, unescaped(written) if form == "json" else written))
                place = found.end
        return b"".join([*pieces, data[place:]]) if pieces else data

    def _findings(self, data: bytes, where: Where, form: Form) -> Iterable[Finding]:
        scanner = self.means.scanners[where]
        found = scanner.find(data, self._budget) if scanner is not None else []
        if self.means.detectors and form == "text":
            found = merged(found, self._detected(data, where))
        return found

    def _detected(self, data: bytes, where: str) -> list[Finding]:
        """What detectors find, whose places are in characters."""
        text, actions = data.decode("utf-8", "surrogatepass"), self.means.actions[where]
        hits = [hit for one in self.means.detectors for hit in one.find(text) if hit.rule in actions]
        if not hits:
            return []
        ends = [0, *accumulate([len(char.encode("utf-8", "surrogatepass")) for char in text])] if len(text) < len(data) else None
        return [
            Finding(ends[hit.start], ends[hit.end], hit.rule, "") if ends else Finding(hit.start, hit.end, hit.rule, "")
            for hit in hits
        ]

    def _mask(self, rule: str, value: bytes) -> bytes:
        mask = self.values.mask(rule, value)
        if len(value) >= REPEATED and len(self._masked) < MOST:
            self._masked[value] = mask
        return mask

    def _again(self, data: bytes, form: Form) -> bytes:
        """Values that were masked before in this request: the model has said them again, or a tool has, where no rule would know them."""
        for value, mask in self._masked.items():
            written = escaped(value) if form == "json" else value
            if written in data:
                data = replaced(data, written, mask)
        return data

    def act(self, rule: str, action: str, direction: str) -> None:
        """Notes what was found, and what follows for the whole exchange."""
        self.counts[rule, action, direction] += 1
        if action == "block" and self.refusal is None:
            self.refusal = blocked(rule, direction)
        elif action == "local" and not self.local:
            self.local = f"guardrails: {rule} in {PLACES[direction]}"

    def _injected(self, text: str) -> str:
        assert self.means.injections is not None
        if self.means.injections.score(text) < self.means.injections.threshold:
            return text
        self.act("injection", self.means.injected, "tools")
        return wrapped(text) if self.means.injected == "wrap" else text

    def told(self) -> str:
        """`mask: email 2, jwt 1; warn: phone 1`, for headers and the journal."""
        by: dict[str, Counter[str]] = {}
        for (rule, action, _), count in self.counts.items():
            by.setdefault(action, Counter())[rule] += count
        return "; ".join(
            [f"{action}: {', '.join([f'{rule} {count}' for rule, count in rules.items()])}" for action, rules in by.items()]
        )


def too_much() -> GatewayError:
    return InvalidRequest(
        "refused: there is more that may be secrets or personal data than is looked at in one request", code=CODE
    )


LOOK: Key[Look] = Key("policy-guardrails.look")


def merged(found: Sequence[Finding], more: Sequence[Finding]) -> list[Finding]:
    """Both in their order; where they overlap, the first."""
    starts = [one.start for one in found]
    free: list[Finding] = []
    for one in sorted(more, key=lambda one: (one.start, -one.end)):
        before = bisect_right(starts, one.start)
        ends = found[before - 1].end if before else 0
        begins = found[before].start if before < len(found) else one.end
        if ends <= one.start and one.end <= begins and (not free or free[-1].end <= one.start):
            free.append(one)
    return sorted([*found, *free])


def replaced(data: bytes, value: bytes, mask: bytes) -> bytes:
    """Where the value stands alone, not as part of a longer word."""
    pieces: list[bytes] = []
    place = 0
    while (at := data.find(value, place)) >= 0:
        end = at + len(value)
        alone = not (_joins(value[:1], data[at - 1 : at]) or _joins(value[-1:], data[end : end + 1]))
        pieces += (data[place:at], mask if alone else value)
        place = end
    return b"".join([*pieces, data[place:]])


def _joins(edge: bytes, beside: bytes) -> bool:
    return edge.isalnum() and beside.isalnum()


def escaped(value: bytes) -> bytes:
    """As it stands inside a JSON text."""
    if value.isalnum():
        return value
    return json.dumps(value.decode("utf-8", "surrogatepass"), ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")


def unescaped(value: bytes) -> bytes:
    """What stands so inside a JSON text; a piece that is none stays as it is."""
    if b"\\" not in value:
        return value
    try:
        return str(json.loads(b'"%s"' % value)).encode("utf-8", "surrogatepass")
    except ValueError:
        return value
