"""Compares the catalogue's prices with two other lists, and writes down where they disagree, for a human to look at.

python plugins/catalog/compare.py
"""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import genai_prices
import model_prices

from lynkr_catalog import Config, PackagedCatalogue

OUTPUT = Path(__file__).parent / "differences.md"
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
"""Some prices depend on the day and the hour."""
SHOWN = 20
GENAI = {
    "openai": "openai", "anthropic": "anthropic", "gemini": "google", "mistral": "mistral", "deepseek": "deepseek", "xai": "x-ai",
    "groq": "groq", "moonshot": "moonshotai", "cohere": "cohere", "cerebras": "cerebras", "perplexity": "perplexity", "zai": "zai",
    "together_ai": "together", "fireworks_ai": "fireworks", "azure": "azure",
}  # fmt: skip
LABS = {
    "openai": "openai", "anthropic": "anthropic", "gemini": "google", "mistral": "mistral", "deepseek": "deepseek", "xai": "xai",
    "moonshot": "moonshotai", "cohere": "cohere", "perplexity": "perplexity", "zai": "zai",
}  # fmt: skip
Pair = tuple[float, float]
"""USD per million tokens of input and output."""


def genai(provider: str, model: str) -> Pair | None:
    """Of a model of exactly this id: the package itself also matches parts of names."""
    usage = genai_prices.Usage(input_tokens=1000, output_tokens=1000)
    try:
        found = genai_prices.calc_price(usage, model, provider_id=provider, genai_request_timestamp=AT)
    except LookupError:
        return None
    if found.model.id != model or found.input_price is None or found.output_price is None:
        return None
    return round(float(found.input_price) * 1000, 6), round(float(found.output_price) * 1000, 6)


def lab(provider: str, model: str) -> Pair | None:
    found = model_prices.rates(model, at=AT, provider=provider)
    if found is None or found.model != model or found.input is None or found.output is None:
        return None
    return found.input, found.output


def pairs(vendors: dict[str, str], other: Callable[[str, str], Pair | None]) -> Iterator[tuple[str, Pair, Pair]]:
    """Every chat model that both have: its id, our price, theirs."""
    catalogue = PackagedCatalogue(Config())
    for vendor, provider in vendors.items():
        for model in sorted(catalogue.models(vendor)):
            card = catalogue.find(vendor, model)
            if card and card.price and card.operation == "chat" and (theirs := other(provider, model)):
                yield card.id, (card.price.input, card.price.output), theirs


def distance(ours: Pair, theirs: Pair) -> float:
    """The larger of the two factors between the prices."""
    return max(max(a, b) / max(min(a, b), 1e-6) if a != b else 1.0 for a, b in zip(ours, theirs, strict=True))


def chapter(name: str, vendors: dict[str, str], other: Callable[[str, str], Pair | None]) -> str:
    both = list(pairs(vendors, other))
    different = sorted([row for row in both if distance(*row[1:]) > 1.001], key=lambda row: (-distance(*row[1:]), row[0]))
    lines = [f"\n## {name} {version(name)}\n", f"{len(both)} models in both, {len(both) - len(different)} at the same price.\n"]
    lines += ["| model | ours, in / out | theirs |", "|---|---|---|"]
    lines += [f"| {id} | {ours[0]:g} / {ours[1]:g} | {theirs[0]:g} / {theirs[1]:g} |" for id, ours, theirs in different[:SHOWN]]
    lines += [f"\nand {len(different) - SHOWN} more" if len(different) > SHOWN else ""]
    return "\n".join(lines).rstrip() + "\n"


def page() -> str:
    head = (
        "# Where price lists disagree\n\nWritten by compare.py. USD per million tokens on "
        f"{AT:%Y-%m-%d, %H:%M} UTC; only chat models that both lists have, the largest differences first.\n"
    )
    return head + chapter("genai-prices", GENAI, genai) + chapter("model-prices", LABS, lab)


if __name__ == "__main__":
    OUTPUT.write_text(page())
    sys.stdout.write(OUTPUT.read_text())
