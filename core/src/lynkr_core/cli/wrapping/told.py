"""What a run came to, in one line, as the gateway's own journal has it."""

from __future__ import annotations

from typing import Any

THOUSAND, MILLION = 1_000, 1_000_000


def asked(base: str, key: str, **params: str) -> dict[str, Any] | None:
    """`GET /v1/usage` with these parameters; None where there is no journal, or nobody answers."""
    import httpx2

    try:
        answer = httpx2.get(f"{base}/v1/usage", params=params, headers={"authorization": f"Bearer {key}"}, timeout=5.0)
        return answer.json() if answer.status_code == 200 else None
    except (httpx2.HTTPError, ValueError):
        return None


def line(report: dict[str, Any] | None) -> str:
    """As in `lynkr: 12 requests, 84k tokens in, 3.1k out, $0.0412, saved $0.0310 (21k tokens), 58 % local`."""
    total = report["total"] if report else None
    if not total or not total["requests"]:
        return "lynkr: no requests"
    parts = [
        "1 request" if total["requests"] == 1 else f"{total['requests']} requests",
        f"{short(total['input_tokens'])} tokens in", f"{short(total['output_tokens'])} out",
    ]  # fmt: skip
    if total["errors"]:
        parts.insert(1, f"{total['errors']} failed")
    if total["usd"] is not None:
        parts.append(dollars(total["usd"]))
    if total["saved_tokens"] or total["saved_usd"]:
        parts.append(f"saved {dollars(total['saved_usd'])} ({short(total['saved_tokens'])} tokens)")
    parts += [f"{share:.0%} {name}" for name in ("local", "cheap") if (share := total[f"{name}_share"])]
    return "lynkr: " + ", ".join(parts)


def short(count: int) -> str:
    """As in 950, 3.1k, 84k, 1.2M."""
    for size, unit in ((MILLION, "M"), (THOUSAND, "k")):
        if abs(count) >= size:
            return f"{count / size:.1f}{unit}" if abs(count) < 10 * size else f"{count / size:.0f}{unit}"
    return str(count)


def dollars(usd: float) -> str:
    """In cents where they are enough."""
    return f"${usd:.2f}" if abs(usd) >= 1 or usd == 0 else f"${usd:.4f}"
