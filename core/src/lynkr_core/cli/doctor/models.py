"""The models that the file names: who knows them, until when they are served, and whether their price is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from lynkr_core.candidates import unique
from lynkr_core.cli.doctor.finding import Finding, good, warning
from lynkr_core.exchange import Candidate
from lynkr_core.kernel import Kernel


def check(kernel: Kernel, today: date) -> Iterator[Finding]:
    served = named(kernel)
    catalogued = any(plugin.kind == "catalog" for plugin in kernel.plugins)
    bought = [candidate for candidate in served if not candidate.provider.is_local(candidate.model)]
    if not catalogued and bought:
        told = "no catalogue is enabled: limits, prices and last days of models are not known"
        yield warning("models", told, "pip install lynkr-catalog and add [catalog.default]")
    found = [*(unknown(served) if catalogued else ()), *ending(served, today), *unpriced(bought)]
    yield from found or [good("models", f"nothing speaks against the {len(served)} that are named")]


def named(kernel: Kernel) -> tuple[Candidate, ...]:
    """Every candidate that the file names, in tiers, aliases, lists and selectors."""
    targets = [target for name in kernel.catalog.names() if (target := kernel.catalog.resolve(name))]
    return unique(candidate for target in targets for candidate in target.candidates)


def unknown(served: tuple[Candidate, ...]) -> Iterator[Finding]:
    """Those whose provider is catalogued and they are not: misspelt, or too new."""
    for candidate in served:
        if candidate.card is None and candidate.provider.vendor and not candidate.provider.is_local(candidate.model):
            told = "no catalogue knows it, so its limits, last day and price are unknown"
            do = f'see that the name is right; [catalog.default] aliases can say what it is: "{candidate.id}" = "vendor/model"'
            yield warning(candidate.id, told, do)


def ending(served: tuple[Candidate, ...], today: date) -> Iterator[Finding]:
    for candidate in served:
        if candidate.card and (told := candidate.card.warning(today)):
            yield warning(candidate.id, f"the model {told}", "put its successor in the place of it")


def unpriced(bought: list[Candidate]) -> Iterator[Finding]:
    """Without a price a call costs null: it is in no sum and no budget."""
    ids = [candidate.id for candidate in bought if candidate.price is None]
    if ids:
        told = f"no price is known of {', '.join(ids)}: their calls cost null, and no sum or budget counts them"
        yield warning(
            "prices",
            told,
            f'add them to [prices], such as "{ids[0]}" = {{ input = 1.0, output = 2.0 }}, in USD per million tokens',
        )
