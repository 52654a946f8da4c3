"""`lynkr record`: a transcript of what a live provider answers, for the contract suite of its plugin."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from lynkr_core.candidates import BOUNDS, Tiers
from lynkr_core.cli.doctor import keys
from lynkr_core.cli.recording.scrub import Scrubber, of_environment
from lynkr_core.cli.recording.takes import Refused, Studio, base_path
from lynkr_core.cli.recording.tape import Tape
from lynkr_core.config import PluginTable, parse, read, suggestion
from lynkr_core.errors import ConfigError, LynkrError, UpstreamError
from lynkr_core.plugins import Context, load
from lynkr_core.provider import Provider
from lynkr_core.stores import Stores
from lynkr_core.testing import factories
from lynkr_core.testing.transcript import Take, Transcript, texts
from lynkr_core.upstream.http1 import Http1Transport

DEFAULT = Path("lynkr.toml")
MOST_SECONDS = 600.0
"""For all calls together; each has the provider's own limits."""


def record(
    provider: str, *, model: str = "", into: Path | None = None, dialect: Sequence[str] = (), max_tokens: int = 256,
    scrub: Sequence[str] = (), scrub_field: Sequence[str] = (), keep_header: Sequence[str] = (), config: Path = DEFAULT,
) -> None:  # fmt: skip
    """Record what a live provider answers, plain, streamed, with tools, and when something is wrong, without what tells who asked.

    It makes some five calls for each dialect, which may cost something. Read the file before you share it.

    Args:
        provider: Its name in lynkr.toml.
        model: The model to ask; the first that is configured, if left out.
        into: The file to write; PROVIDER.json, if left out.
        dialect: Only these of the provider's dialects; may be given several times.
        max_tokens: What answers are limited to.
        scrub: More texts to take out; may be given several times.
        scrub_field: More names in JSON whose values are taken out, such as id; may be given several times.
        keep_header: More headers of answers to keep; may be given several times.
        config: The file that configures it.
    """
    scrubber = Scrubber(scrub, scrub_field, keep_header)
    made, refused = anyio.run(recorded, provider, model, dialect, max_tokens, scrubber, config, os.environ)
    data = texts(made)
    if scrubber.leaks(data.decode()):
        raise LynkrError("a secret was still in what was to be written; nothing was written")
    file = into or Path(f"{provider}.json")
    file.write_bytes(data)
    told = [f"{take.dialect:20} {take.name:14} {take.status}  {sum(map(len, take.pieces))} bytes" for take in made.takes]
    told += [f"{one.dialect:20} {one.name:14} left out: {scrubber.text(one.why)}" for one in refused]
    told.append(f"wrote {file}; {scrubber.count(data.decode())} secrets and names taken out; read it before you share it")
    sys.stdout.write("\n".join(told) + "\n")


async def recorded(
    name: str, model: str, dialects: Sequence[str], max_tokens: int, scrubber: Scrubber, file: Path, environ: Mapping[str, str]
) -> tuple[Transcript, list[Refused]]:
    """Raises `ConfigError` for what is not configured, `LynkrError` when the provider gives no plain answer."""
    table = table_of(name, file, environ, scrubber)
    transport = Http1Transport()
    tape = Tape(transport)
    provider = made(table, tape, file, environ)
    try:
        async with factories.running(provider):
            model = model or next(iter(provider.models), "")
            if not model:
                raise ConfigError([f"{file}: [provider.{name}] names no models; say which with --model"])
            studio = Studio(provider, tape, scrubber, model, max_tokens, base_path(provider))
            with anyio.fail_after(MOST_SECONDS):
                found = [take for dialect in spoken(provider, model, dialects) for take in await studio.of_dialect(dialect)]
                listing = await studio.listing()
    except UpstreamError as error:
        raise LynkrError(f"{name} gave no answer to record: {error.kind}: {scrubber.text(str(error))}") from None
    except TimeoutError:
        raise LynkrError(f"{name} took more than {MOST_SECONDS:g} s; nothing was written") from None
    finally:
        await transport.aclose()
    takes = (*[take for take in found if isinstance(take, Take)], *([listing] if listing else ()))
    clean = scrubber.text(studio.base_path)
    transcript = Transcript(use=table.use, model=scrubber.text(model), base_path=clean, max_tokens=max_tokens, takes=takes)
    return transcript, [take for take in found if isinstance(take, Refused)]


def table_of(name: str, file: Path, environ: Mapping[str, str], scrubber: Scrubber) -> PluginTable:
    """The provider's table; what the file and the environment hold of secrets is known to the scrubber from now on."""
    text = read(file)
    settings = parse(text, environ, file.name)
    tables: dict[str, Any] = tomllib.loads(text)
    for value in (*keys.hidden(tables, keys.places(tables), environ), *of_environment(environ)):
        scrubber.know(value)
    found = {table.name: table for table in settings.plugins if table.kind == "provider"}
    if name not in found:
        raise ConfigError([f"{file}: no provider is named {name!r}{suggestion(name, sorted(found))}"])
    return found[name]


def made(table: PluginTable, tape: Tape, file: Path, environ: Mapping[str, str]) -> Provider:
    """The provider's plugin, without a gateway around it."""
    mistakes: list[str] = []
    context = Context(
        name=table.name, kind="provider", transport=tape, tiers=Tiers(BOUNDS), stores=Stores(), environ=environ
    )  # fmt: skip
    loaded = load(table, context, str(file), mistakes)
    if loaded is None:
        raise ConfigError(mistakes)
    return loaded.instance


def spoken(provider: Provider, model: str, wanted: Sequence[str]) -> list[str]:
    """The dialects to record. Raises `ConfigError` for one that it does not speak."""
    chats = [name for name in provider.dialects_of(model) if factories.find_dialect(name).operation == "chat"]
    unknown = [name for name in wanted if name not in chats]
    if unknown:
        raise ConfigError([f"the provider does not speak {name!r}{suggestion(name, chats)}" for name in unknown])
    return [*(wanted or chats)]
