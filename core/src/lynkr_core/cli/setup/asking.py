"""The dialogue of `lynkr init`: every question has an answer that Enter gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from lynkr_core.cli.setup.sources import TIERS, Source

if TYPE_CHECKING:
    from rich.console import Console

HIGHEST = 65535


def ask(sources: Sequence[Source], port: int) -> tuple[list[Source], int]:
    """Which of the sources are to be used, with which model for which tier, and on which port lynkr is to listen."""
    from rich.console import Console

    console = Console()
    kept = [source for source in sources if wanted(console, source)] or list(sources)
    chosen = [with_models(console, source) for source in kept]
    return chosen, number(console, "Port to listen on", port)


def wanted(console: Console, source: Source) -> bool:
    """Whether to use it."""
    from rich.prompt import Confirm

    where = f"on port {source.port}" if source.port else f"with {source.key}" if source.key else "offline, for trying out"
    return Confirm.ask(f"Use [bold]{source.plugin}[/] ({where})?", console=console, default=True)


def with_models(console: Console, source: Source) -> Source:
    """The source with the model that is wanted for each tier; `-` leaves a tier to the other sources."""
    from rich.prompt import Prompt

    if not source.models:
        return source
    if len(source.models) > 1:
        console.print(f"  {source.plugin} has {', '.join(source.models[:12])}", markup=False)
    answers = {tier: Prompt.ask(f"  model for {tier}", console=console, default=source.tiers.get(tier, "-")) for tier in TIERS}
    return structs.replace(source, tiers={tier: model.strip() for tier, model in answers.items() if model.strip(" -")})


def number(console: Console, question: str, default: int) -> int:
    """A port."""
    from rich.prompt import IntPrompt

    while not 0 < (answer := IntPrompt.ask(question, console=console, default=default)) <= HIGHEST:
        console.print(f"  from 1 to {HIGHEST}, please")
    return answer
