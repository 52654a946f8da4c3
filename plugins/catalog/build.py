"""Writes the catalogue's data from the model list of LiteLLM, which is in its wheel. To be run by hand; its output is committed.

pip download litellm --no-deps --dest /tmp/litellm
python plugins/catalog/build.py /tmp/litellm/litellm-*.whl [the day of the list, as in 2026-11-21; today]

What the list does not say is left out. What the reasoning models refuse is not in the list but in LiteLLM's code
(`llms/openai/chat/gpt_reasoning_transformation.py`, `o_series_transformation.py`, `llms/xai`, `llms/moonshot` of 1.109.1): the rules
below state the same facts. So do those of `prefill`: the list says of DeepSeek's models that they go on from an answer that was begun, which
they do at another URL only; it says nothing of Moonshot's, which do (`partial`, Moonshot's API reference).
"""

import re
import sys
import zipfile
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from lynkr_core.cards import Hours, ModelCard, Plan, Price, PriceTier

MEMBER = "litellm/model_prices_and_context_window_backup.json"
OUTPUT = Path(__file__).parent / "src/lynkr_catalog/models.bin"
OPERATIONS = {"chat": "chat", "responses": "chat", "embedding": "embeddings"}
VENDORS = {
    "azure_text": "azure", "bedrock_converse": "bedrock", "cohere_chat": "cohere", "fireworks_ai-embedding-models": "fireworks_ai",
}  # fmt: skip
"""Parts of a vendor that the list gives names of their own."""
FREE = ("ollama", "lemonade")
"""Vendors whose price of nothing means nothing; elsewhere it means that nobody knows."""
SPELLINGS = {"stop": ("stop", "stop_sequences"), "reasoning": ("reasoning", "reasoning_effort", "thinking")}
SAMPLING = ("temperature", "top_p", "logprobs", "top_logprobs")
PENALTIES = ("presence_penalty", "frequency_penalty")
INPUTS = {
    "image": "supports_vision", "audio": "supports_audio_input", "video": "supports_video_input", "document": "supports_pdf_input",
}  # fmt: skip
RATES = {
    "input": "input_cost_per_token", "output": "output_cost_per_token", "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost", "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "reasoning": "output_cost_per_reasoning_token", "audio_input": "input_cost_per_audio_token",
    "audio_output": "output_cost_per_audio_token", "image_output": "output_cost_per_image_token",
}  # fmt: skip
CLOUDS = ("azure_ai", "bedrock", "databricks", "vertex_ai")
"""Vendors that serve Claude in its own manner; what else they serve goes on from an answer by other keys than lynkr sends."""
SERVICES = {"batch": "_batches", "flex": "_flex", "priority": "_priority", "ultrafast": "_ultrafast", "balanced": "_balanced"}
"""What the answer calls how it was served, and how the list's keys for its prices end."""
GROUNDED = ("gemini", "vertex_ai")
"""Vendors that bill searches by the query or by the prompt that led to any."""
PRODUCTS = {"openai": {"file_search": 0.0025, "code_interpreter": 0.03}}
"""USD for each use of a vendor's tool, whatever the model: `OPENAI_FILE_SEARCH_COST_PER_1K_CALLS` and the row `openai/container`."""
ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
encoder = msgspec.json.Encoder(order="deterministic")
Row = dict[str, Any]


def main(wheel: Path, dated: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        rows: dict[str, Row] = msgspec.json.decode(archive.read(MEMBER))
    version = wheel.name.split("-")[1]
    vendors: dict[str, dict[str, ModelCard]] = {}
    for key, row in rows.items():
        if row.get("mode") in OPERATIONS and "litellm_provider" in row:
            vendor = vendor_of(row)
            model = key.removeprefix(f"{vendor}/")
            if model == key and model in vendors.get(vendor, {}):
                continue  # the name with the vendor's prefix is the more exact one
            vendors.setdefault(vendor, {})[model] = card(vendor, model, {**row, "model": model})
    packed = {vendor: zlib.compress(encoder.encode(cards), 9) for vendor, cards in sorted(vendors.items())}
    OUTPUT.write_bytes(msgspec.msgpack.encode({"version": version, "dated": dated, "vendors": packed}))
    sys.stdout.write(f"{sum(map(len, vendors.values()))} models of {len(vendors)} vendors, {OUTPUT.stat().st_size} bytes\n")


def vendor_of(row: Row) -> str:
    name = row["litellm_provider"]
    return "vertex_ai" if name.startswith("vertex_ai-") else VENDORS.get(name, name)


def card(vendor: str, model: str, row: Row) -> ModelCard:
    """Without what its place in the file tells: the id and where the price is from."""
    takes, refuses = modalities(row)
    refused, thinking = refusals(vendor, model, row)
    reasoning = row.get("supports_reasoning")
    default = row.get("default_reasoning_effort")
    limits = vendor in ("openai", "azure", "azure_ai") and is_thinker(model, row)
    return ModelCard(
        id="",
        operation=OPERATIONS[row["mode"]],
        context_window=count(row.get("max_input_tokens")),
        max_output=count(row.get("max_output_tokens")) if row["mode"] != "embedding" else None,
        dimensions=count(row.get("output_vector_size")),
        takes=frozenset(takes),
        refuses=frozenset(refuses),
        tools=row.get("supports_function_calling"),
        structured=either(row.get("supports_response_schema"), row.get("supports_native_structured_output")),
        reasoning=reasoning,
        thinks=False if default == "none" else row.get("thinking_always_on"),
        refused=spelled(refused),
        refused_thinking=spelled(thinking),
        token_limit="max_completion_tokens" if limits else None,
        prefill=prefill(vendor, model, row),
        price=price(vendor, row),
        ends=date.fromisoformat(row["deprecation_date"]) if row.get("deprecation_date") else None,
    )


def count(value: Any) -> int | None:
    """A positive number of tokens or dimensions."""
    return int(value) if isinstance(value, int | float) and value > 0 else None


def either(*flags: bool | None) -> bool | None:
    return True if True in flags else False if False in flags else None


def modalities(row: Row) -> tuple[list[Any], list[Any]]:
    """Which inputs besides text are taken, and which are not; what the row contradicts itself about is in neither list."""
    listed = row.get("supported_modalities")
    takes: list[str] = []
    refuses: list[str] = []
    for name, flag in INPUTS.items():
        said = {row.get(flag)} - {None}
        if listed and name != "document":
            said.add(name in listed)
        if said == {True}:
            takes.append(name)
        elif said == {False}:
            refuses.append(name)
    return takes, refuses


def refusals(vendor: str, model: str, row: Row) -> tuple[list[str], list[str]]:
    """Names of parameters that the model answers with an error: always, and while it thinks."""
    refused: list[str] = []
    thinking: list[str] = []
    if row.get("supports_sampling_params") is False:
        refused += ["temperature", "top_p", "top_k"]
    if row.get("supports_forced_tool_use") is False:
        refused.append("tool_choice")
    if row.get("supports_reasoning") is False:
        refused.append("reasoning")
    if vendor in ("openai", "azure", "azure_ai") and is_thinker(model, row):
        refused += PENALTIES
        if is_o(model):
            refused += SAMPLING
            refused += ["stop"] if re.search(r"\bo(3|4-mini)", model) else []
            refused += ["parallel_tool_calls"] if row.get("supports_parallel_function_calling") is False else []
        else:
            refused += ["stop", "logit_bias"]
            (thinking if row.get("supports_none_reasoning_effort") else refused).extend(SAMPLING)
    if vendor == "xai" and re.search(r"grok-4|grok-code-fast", model):
        refused += ["stop", "frequency_penalty"]
    if vendor == "moonshot" and row.get("supports_reasoning"):
        refused.append("temperature")
    return refused, thinking


def prefill(vendor: str, model: str, row: Row) -> bool | None:
    """Whether the model goes on from an assistant's message that stands last, as our provider of this vendor sends it."""
    if vendor == "moonshot" and row["mode"] == "chat":
        return True
    said = row.get("supports_assistant_prefill")
    known = vendor in ("anthropic", "mistral") or (vendor in CLOUDS and "claude" in model)
    return said if said is False or known else None


def is_o(model: str) -> bool:
    return re.search(r"(^|/)o[134](-|$)", model) is not None


def is_thinker(model: str, row: Row) -> bool:
    """OpenAI's models that think; its chat models of the same generation do not."""
    return bool(row.get("supports_reasoning")) and (is_o(model) or re.search(r"gpt-[56](?!-chat)", model) is not None)


def spelled(names: list[str]) -> dict[str, str]:
    """Each name of the internal model under every key that callers write for it."""
    return {key: name for name in sorted(names) for key in SPELLINGS.get(name, (name,))}


def price(vendor: str, row: Row) -> Price | None:
    """None where input or output has no price for a token."""
    base = plan(row)
    if base is None or (base.input == base.output == 0 and vendor not in FREE):
        return None
    per_request = row.get("input_cost_per_request") or 0.0
    fees = dict(PRODUCTS.get(vendor, {}) if row["mode"] != "embedding" else {})
    search = search_fee(row)
    if search is not None and re.search(r"-search-(preview|api)", row.get("model", "")):
        per_request += search
    elif search is not None:
        by_query = vendor not in GROUNDED or "claude" in row.get("model", "") or row.get("web_search_billing_unit") == "per_query"
        fees["web_search"] = search if by_query else 0.0
        if vendor in GROUNDED:
            fees["grounded_prompt"] = 0.0 if by_query else search
    return Price(
        **msgspec.structs.asdict(base), per_request=per_request, fees=fees, services=services(row, base), hours=hours(row, base)
    )


def search_fee(row: Row) -> float | None:
    """USD for a search; None where that depends on what was asked for."""
    said = {value for value in (row.get("search_context_cost_per_query") or {}).values() if isinstance(value, int | float)}
    return said.pop() if len(said) == 1 else None


def plan(row: Row, suffix: str = "") -> Plan | None:
    """None where input or output has no price for a token."""
    tiered = row.get("tiered_pricing") if not suffix else None
    if tiered:
        first, *rest = sorted((tier for tier in tiered if "range" in tier), key=lambda tier: tier["range"][0]) or [{}]
        base, tiers = rates(first), [(int(tier["range"][0]), rates(tier)) for tier in rest]
    else:
        base = rates(row, suffix)
        found = sorted(int(match[1]) for key in row if (match := ABOVE.fullmatch(key)) and key + suffix in row)
        tiers = [(size * 1000, rates(row, f"_above_{size}k_tokens{suffix}")) for size in found]
    if row["mode"] == "embedding":
        base.setdefault("output", 0.0)
    if "input" not in base or "output" not in base:
        return None
    above = tuple([PriceTier(above=above, **{"output": base["output"], **tier}) for above, tier in tiers if "input" in tier])
    return Plan(**base, tiers=above)


def services(row: Row, base: Plan) -> dict[str, Plan]:
    """Prices of what is served in another way than the usual one. Those of Anthropic's regions and speeds are factors."""
    found = {name: plan(row, suffix) for name, suffix in SERVICES.items()}
    plans = {name: own for name, own in found.items() if own and is_whole(own, base)}
    entry = row.get("provider_specific_entry") or {}
    factors = {name: entry[name] for name in ("fast", "us") if isinstance(entry.get(name), int | float)}
    made = {name: times(base, factor) for name, factor in factors.items()}
    if "us" in factors:
        others = {name: own for name, own in {**plans, **made}.items() if name != "us"}
        made |= {"+".join(sorted([name, "us"])): times(own, factors["us"]) for name, own in others.items()}
    return plans | made


def is_whole(own: Plan, base: Plan) -> bool:
    """A plan that leaves out the price of long requests, or of what is cached for an hour, has none for them that anybody knows."""
    same = [tier.above for tier in own.tiers] == [tier.above for tier in base.tiers]
    return same and (own.cache_write_1h is None) == (base.cache_write_1h is None)


def times(base: Plan, factor: float) -> Plan:
    def dearer(rates: Any) -> dict[str, float]:
        own = {name: getattr(rates, name) for name in RATES}
        return {name: float(f"{value * factor:.8g}") for name, value in own.items() if value is not None}

    return Plan(**dearer(base), tiers=tuple([PriceTier(above=tier.above, **dearer(tier)) for tier in base.tiers]))


def hours(row: Row, base: Plan) -> tuple[Hours, ...]:
    """When it costs less. Windows are from the list's hour to its hour, the second 00:00 is the end of the day."""
    cheaper = row.get("off_peak_pricing") or {}
    own = rates(cheaper)
    made: list[Hours] = []
    for window in cheaper.get("windows", ()):
        spans = window["hours_utc"]
        for span in [spans] if isinstance(spans, str) else spans:
            begin, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in span.split("-"))
            days = tuple(window.get("weekdays", range(1, 8)))
            made.append(Hours(**own, days=days, begin=begin, end=end or 24 * 60))
    return tuple(made)


def rates(row: Row, suffix: str = "") -> dict[str, float]:
    """USD per million tokens, of the figures that are there."""
    found = {name: row.get(key + suffix) for name, key in RATES.items()}
    return {name: float(f"{value * 1e6:.8g}") for name, value in found.items() if isinstance(value, int | float)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else date.today().isoformat())
