"""What is known of every candidate and credential. A board in memory; `shared.py` has one that hears of other processes."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from lynkr_policy_breaker.circuit import Circuit, Rules

MAX_SUBJECTS = 10_000
"""Candidates that are remembered: callers may name models."""


class Refusal(NamedTuple):
    """Why a subject is left alone, and for how many seconds yet. `limit`: because a limit of it is used up."""

    reason: str
    wait: float
    limit: bool


class Board:
    """Subjects are candidates (`local/llama3.2`) and credentials (`local`)."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._circuits: dict[str, Circuit] = {}
        self._cool: dict[str, tuple[float, str]] = {}
        self.attempts = self.failures = self.opened = self.cooled = self.refused = 0

    def _circuit(self, subject: str) -> Circuit:
        circuit = self._circuits.get(subject)
        if circuit is None:
            if len(self._circuits) >= MAX_SUBJECTS:
                self._circuits.clear()
            circuit = self._circuits[subject] = Circuit(self._rules)
        return circuit

    def refusal(self, subject: str, now: float) -> Refusal | None:
        """Why nothing may be sent to it; None when something may."""
        cool = self._cool.get(subject)
        if cool is not None:
            if now < cool[0]:
                self.refused += 1
                return Refusal(cool[1], cool[0] - now, True)
            del self._cool[subject]
        circuit = self._circuits.get(subject)
        if circuit is None or (state := circuit.state(now)) == "closed" or (state == "half open" and not circuit.probing):
            return None
        self.refused += 1
        return Refusal(circuit.reason, circuit.wait(now) or 1.0, False)

    def admit(self, subject: str, now: float) -> Literal["yes", "probe", "no"]:
        self.attempts += 1
        return self._circuit(subject).admit(now)

    def failed(self, subject: str, now: float, reason: str, probe: bool) -> None:
        self.failures += 1
        self.opened += self._circuit(subject).failed(now, reason, probe)

    def succeeded(self, subject: str, now: float, probe: bool) -> None:
        self._circuit(subject).succeeded(now, probe)

    def gave_up(self, subject: str) -> None:
        self._circuit(subject).gave_up()

    def cool(self, subject: str, until: float, reason: str) -> None:
        """A limit is used up until then."""
        self.cooled += 1
        if len(self._cool) >= MAX_SUBJECTS:
            self._cool.clear()
        self._cool[subject] = max((until, reason), self._cool.get(subject, (0.0, "")))

    def down(self, subject: str, until: float, reason: str) -> None:
        """It cannot be reached; nothing is sent to it until then."""
        self._circuit(subject).open(until, reason)

    def up(self, subject: str) -> None:
        self._circuit(subject).close()
        self._cool.pop(subject, None)

    def status(self, now: float) -> dict[str, Any]:
        """Who is left alone, and how often anything happened since the start."""
        counts = {name: getattr(self, name) for name in ("attempts", "failures", "opened", "cooled", "refused")}
        return {"left_alone": self.left_alone(now), **counts}

    def left_alone(self, now: float) -> dict[str, Any]:
        """Who, why, and for how many seconds yet."""
        told: dict[str, Any] = {}
        for subject, (until, reason) in self._cool.items():
            if now < until:
                told[subject] = {"state": "cooling down", "seconds": round(until - now, 1), "reason": reason}
        for subject, circuit in self._circuits.items():
            if (state := circuit.state(now)) != "closed":
                told.setdefault(subject, {"state": state, "seconds": round(circuit.wait(now), 1), "reason": circuit.reason})
        return told
