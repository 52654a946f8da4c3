"""`lynkr route` and `lynkr explain`: why a request goes, or went, where it goes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anyio
import msgspec

from lynkr_core.cli.configured import kernel_of
from lynkr_core.cli.printing import print_json
from lynkr_core.decision import decision
from lynkr_core.errors import LynkrError
from lynkr_core.exchange import Exchange

DEFAULT = Path("lynkr.toml")
FRONT = "openai.chat"
LEAST_POINTS, LEAST_VALUE = 0.5, 0.01
"""What a signal has to add, or to measure, to be told of."""
KINDS = (("cache_read", "from the cache"), ("cache_write", "into the cache"), ("reasoning", "of reasoning"))


def route(prompt: str, *, model: str = "auto", config: Path = DEFAULT, json: bool = False) -> None:
    """Tell where a prompt would go and why, without calling anyone.

    Args:
        prompt: What the user would say.
        model: The model the client would ask for.
        config: The file to read.
        json: Print JSON.
    """
    show(anyio.run(dry_run, prompt, model, config), json)


async def dry_run(prompt: str, model: str, config: Path) -> dict[str, Any]:
    """The decision that the running gateway would make for this prompt."""
    kernel = kernel_of(config)
    body = msgspec.json.encode({"model": model, "messages": [{"role": "user", "content": prompt}]})
    async with kernel:
        exchange = Exchange(kernel.dialects[FRONT], "/v1/route", {}, body)
        exchange.dry_run = True
        await kernel.decide(exchange)
    return msgspec.to_builtins(decision(exchange, texts=True))


def explain(request_id: str, *, config: Path = DEFAULT, json: bool = False) -> None:
    """Tell why a request of the past went where it went; its id is in the header x-lynkr-request-id.

    Args:
        request_id: As in the header, with `req_`.
        config: The file that names the store.
        json: Print JSON.
    """
    record = anyio.run(recorded, request_id, config)
    if record is None:
        raise LynkrError(f"no record of {request_id}; [store.sqlite] and [sink.journal] keep them")
    show(dict(record), json)


async def recorded(request_id: str, config: Path) -> Any:
    kernel = kernel_of(config)
    async with kernel:
        return await kernel.stores.journal().find(request_id)


def show(record: dict[str, Any], json: bool) -> None:
    """A decision for people, or as JSON."""
    if json:
        print_json(record)
        return
    sys.stdout.write("".join(f"{line}\n" for line in told(record)))


def told(record: dict[str, Any]) -> list[str]:
    """The decision in sentences, the answer first."""
    score = record.get("score")
    lines = [f"{record.get('provider')}/{record.get('model')}", f"  because  {record.get('reason') or 'it was asked for'}"]
    lines += [f"  asked    {record.get('model_asked')} ({record.get('route')})"]
    lines += [f"  session  {record['session']} (by {record.get('session_from')})"] if record.get("session") else []
    notes: dict[str, str] = record.get("notes") or {}
    lines += [f"  {name:8} {text}" for name, text in notes.items()]
    lines += [f"  score    {score:.0f} of 100, tier {record.get('tier')}"] if score is not None else []
    for entry in record.get("scores") or ():
        lines.append(f"           {entry['plugin']} says {entry['value']:.0f}: {entry['reason']}")
        lines += [f"           of: {entry['ask'][:200]!r}"] if entry.get("ask") else []
    lines += signals(record.get("signals") or {}, record.get("points") or {})
    lines += [f"  gate     {gate}" for gate in record.get("gates") or ()]
    lines += [candidate(entry) for entry in record.get("considered") or ()]
    lines += [f"  without  {what}" for what in record.get("skipped") or ()]
    lines += [attempted(attempt) for attempt in record.get("attempts") or ()]
    lines += receipt(record)
    return lines + ending(record)


def attempted(attempt: dict[str, Any]) -> str:
    """Who was asked, and what came of it."""
    failure = " ".join([str(attempt[key]) for key in ("error", "status", "code") if attempt.get(key) is not None])
    parts = [failure or "answered", *([f"after {attempt['seconds']:.3f} s"] if attempt.get("seconds") is not None else [])]
    parts += [used(attempt["usage"])] if attempt.get("usage") else []
    parts += [f"${attempt['cost']:.6f}"] if attempt.get("cost") is not None else []
    parts += [f"lynkr answered calls of {', '.join(attempt['answered'])}"] if attempt.get("answered") else []
    return f"  attempt  {attempt['candidate']}: {', '.join(parts)}"


def used(usage: dict[str, Any]) -> str:
    """Tokens, and of which kind where that matters."""
    kinds = [f"{usage[key]} {name}" for key, name in KINDS if usage.get(key)]
    about = "about " if usage.get("estimated") else ""
    told = f"{about}{usage['input_tokens']} tokens in, {usage['output_tokens']} out"
    return f"{told} ({', '.join(kinds)})" if kinds else told


def ending(record: dict[str, Any]) -> list[str]:
    """How it ended, what it took, and what was lost or went wrong."""
    if record.get("status") is None:
        return []
    took = [f"{record['duration']:.3f} s"] if record.get("duration") is not None else []
    took += [used(record["usage"])] if record.get("usage") else []
    if record.get("usage"):
        took += ["no price is known"] if record.get("cost") is None else [f"${record['cost']:.6f}"]
    lines = [f"  ended    {', '.join([record['status'], *took])}"]
    lines += [f"  losses   {', '.join(record['losses'])}"] if record.get("losses") else []
    return lines + ([f"  error    {record['error']}"] if record.get("error") else [])


def receipt(record: dict[str, Any]) -> list[str]:
    """What it would have cost untouched, and which plugin earned or lost how much of the difference."""
    savings: list[dict[str, Any]] = record.get("savings") or []
    lines = [
        f"  {'saved' if (one['usd'] or 0) >= 0 else 'lost':8} {one['plugin']}: {one['tokens']} tokens"
        + ("" if one["usd"] is None else f", ${one['usd']:.6f}")
        for one in savings
    ]
    if savings and record.get("untouched") is not None and record.get("cost") is not None:
        lines.append(f"  receipt  ${record['untouched']:.6f} untouched, ${record['cost']:.6f} billed")
    return lines


def candidate(entry: dict[str, Any]) -> str:
    """One that was considered: its place or that it was removed, its price for this request, why, and by whom."""
    usd = "" if entry["usd"] is None else f" ${entry['usd']:.6f}"
    why = f"{entry['reason']} ({entry['plugin']})" if entry["plugin"] else entry["reason"]
    place = "removed" if entry["place"] is None else f"try {entry['place']}"
    return f"  {place:8} {entry['candidate']}{usd}: {why}"


def signals(values: dict[str, float], points: dict[str, float]) -> list[str]:
    """What was measured and what each added to the score, the strongest first."""
    names = sorted({**values, **points}, key=lambda name: (-abs(points.get(name, 0.0)), -abs(values.get(name, 0.0))))
    idle = [name for name in names if abs(points.get(name, 0.0)) < LEAST_POINTS and values.get(name, 0.0) < LEAST_VALUE]
    names = [name for name in names if name not in idle] if len(idle) > 1 else names
    measured = {name: f" {value:.2f}" for name, value in values.items()}
    added = {name: f", {value:+.0f} points" for name, value in points.items()}
    rest = [f"  signal   and {len(idle)} others, which add nothing"] if len(idle) > 1 else []
    return [f"  signal   {name}{measured.get(name, '')}{added.get(name, '')}" for name in names] + rest
