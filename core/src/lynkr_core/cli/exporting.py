"""`lynkr export`: the journal as a table for others, a page in memory at a time."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, TextIO

import anyio
import msgspec

from lynkr_core.cli.usage import DEFAULT, journal_of
from lynkr_core.errors import LynkrError
from lynkr_core.stores import Journal, Record
from lynkr_core.stores.report import end, iso, moment

PAGE_ROWS = 500
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet would run."""
PLAIN = (
    "id", "principal", "key", "class", "user", "team", "agent", "session", "task", "dialect", "operation", "model_asked", "route", "tier",
    "score", "provider", "model", "status", "http_status", "stream", "cache", "cost", "spent", "billed", "saved_tokens", "saved_usd", "queue",
    "first_token", "duration", "error",
)  # fmt: skip
TOKENS = ("input_tokens", "output_tokens", "cache_read", "cache_write", "cache_write_1h", "reasoning", "estimated")
Row = dict[str, Any]


def export(
    *,
    format: Literal["csv", "jsonl", "focus"] = "csv",
    since: str = "30d",
    until: str = "",
    output: Path | None = None,
    config: Path = DEFAULT,
) -> None:
    """Write the journal out, the newest first.

    Args:
        format: csv: a row for each request; jsonl: every record as it is; focus: its charges with the columns of FOCUS 1.2.
        since: How long ago, as 30d or 24h, or a date or time in UTC.
        until: Up to then, in the same way; now when left out.
        output: The file to write; standard output when left out.
        config: The file that names the store.
    """
    try:
        span = moment(since), math.nextafter(end(until), -math.inf)
    except ValueError as error:
        raise LynkrError(str(error)) from None
    with ExitStack() as stack:
        try:
            file = stack.enter_context(output.open("w", encoding="utf-8", newline="")) if output else sys.stdout
            count = anyio.run(written, file, FORMATS[format], span, config)
            file.flush()
        except BrokenPipeError:  # whoever reads has seen enough
            sys.stderr.close()
            return
        except OSError as error:
            raise LynkrError(f"{output or 'the output'}: {error.strerror or error}") from None
    sys.stderr.write(f"{count} {'charges' if format == 'focus' else 'records'}\n")


async def written(file: TextIO, lines: Callable[[Record], str | Row | None], span: tuple[float, float], config: Path) -> int:
    """How many."""
    count, table = 0, None
    async with journal_of(config) as (_, journal):
        async for record in records(journal, span, {}):
            line = lines(record)
            if line is None:
                continue
            if isinstance(line, str):
                file.write(line)
            else:
                table = table or begun(file, line)
                table.writerow({name: safe(value) for name, value in line.items()})
            count += 1
    return count


def begun(file: TextIO, row: Row) -> csv.DictWriter[str]:
    table = csv.DictWriter(file, list(row), lineterminator="\r\n")
    table.writeheader()
    return table


async def records(journal: Journal, span: tuple[float, float], where: Mapping[str, Any]) -> AsyncIterator[Record]:
    before: tuple[float, str] | None = None
    while page := await journal.query(since=span[0], until=span[1], where=where, limit=PAGE_ROWS, before=before):
        for record in page:
            yield record
        before = (page[-1]["created"], page[-1]["id"])


def safe(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; numbers are numbers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def as_json(record: Record) -> str:
    return msgspec.json.encode(record).decode() + "\n"


def as_row(record: Record) -> Row:
    used: dict[str, Any] = record.get("usage") or {}
    row = {"created": precise(record["created"]), **{name: record.get(name) for name in PLAIN}}
    row |= {name: used.get(name) for name in TOKENS}
    row |= {"tags": " ".join(record.get("tags") or ()), "attempts": len(record.get("attempts") or ())}
    row["losses"] = "; ".join(record.get("losses") or ())
    row["savings"] = "; ".join(f"{saved['plugin']} {saved['tokens']}" for saved in record.get("savings") or ())
    return row


def as_charge(record: Record) -> Row | None:
    """One request as a charge in the FinOps Open Cost and Usage Specification 1.2.

    Its costs are never null there, so that requests of unknown cost, and those billed to a caller's own key, are no charges.
    """
    cost, spent = record.get("cost"), record.get("spent") or 0.0
    if record.get("billed") == "caller" or (cost is None and not spent):
        return None
    used: dict[str, Any] = record.get("usage") or {}
    created: float = record["created"]
    tokens = used.get("input_tokens", 0) + used.get("output_tokens", 0)
    usd = f"{max(cost or 0.0, spent):.12f}".rstrip("0").rstrip(".")
    sku = charged(record)
    provider = sku.partition("/")[0]
    month, following = months(created)
    tags = {name: record[name] for name in ("key", "user", "agent", "class", "session", "task", "tier") if record.get(name)}
    return {
        "BilledCost": usd, "BillingAccountId": "lynkr", "BillingAccountName": "lynkr", "BillingCurrency": "USD",
        "BillingPeriodStart": month, "BillingPeriodEnd": following, "ChargeCategory": "Usage", "ChargeClass": None,
        "ChargeDescription": f"{record.get('operation') or 'request'} with {sku}", "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": utc(created), "ChargePeriodEnd": utc(created + max(1.0, record.get("duration") or 0.0)),
        "ConsumedQuantity": tokens, "ConsumedUnit": "Tokens", "ContractedCost": usd, "EffectiveCost": usd, "ListCost": usd,
        "InvoiceIssuerName": provider, "PricingQuantity": tokens, "PricingUnit": "Tokens",
        "ProviderName": provider, "PublisherName": provider, "ResourceId": record["id"],
        "ResourceName": None, "ResourceType": "Request", "ServiceCategory": "AI and Machine Learning",
        "ServiceName": f"{provider} models", "SkuId": sku, "SkuPriceId": None, "SubAccountId": record.get("team"),
        "SubAccountName": record.get("team"), "Tags": msgspec.json.encode(tags).decode(),
    }  # fmt: skip


def charged(record: Record) -> str:
    """The `provider/model` that served; where that cost nothing that is known, of the last attempt that did."""
    if record.get("model") and record.get("cost") is not None:
        return f"{record.get('provider')}/{record['model']}"
    return next((tried["candidate"] for tried in reversed(record.get("attempts") or ()) if tried.get("cost")), "unknown")


def months(at: float) -> tuple[str, str]:
    """The beginning of the month that this is in, and of the next one."""
    year, month = (int(part) for part in utc(at)[:7].split("-"))
    after = (year + 1, 1) if month == 12 else (year, month + 1)
    return f"{year:04}-{month:02}-01T00:00:00Z", f"{after[0]:04}-{after[1]:02}-01T00:00:00Z"


def utc(at: float) -> str:
    return (iso(at) or "1970-01-01T00:00:00").removesuffix("+00:00") + "Z"


def precise(at: float) -> str:
    """With milliseconds."""
    return f"{utc(at)[:-1]}.{int(at * 1000) % 1000:03}Z"


FORMATS: dict[str, Callable[[Record], str | Row | None]] = {"csv": as_row, "jsonl": as_json, "focus": as_charge}
