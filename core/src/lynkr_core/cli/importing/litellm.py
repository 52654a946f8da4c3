"""LiteLLM's `config.yaml`, as its proxy 1.109 reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from lynkr_core.cli.importing.draft import VARIABLE, Draft
from lynkr_core.cli.importing.known import KEYS, LITELLM
from lynkr_core.errors import ConfigError

Mapped = Mapping[str, Any]
FROM_ENVIRONMENT = "os.environ/"
MILLION = 1_000_000
SPANS = {"s": "minute", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month"}
STRATEGIES: dict[str, tuple[str, dict[str, str]]] = {
    "simple-shuffle": ("selector.weighted", {}),
    "least-busy": ("selector.weighted", {"strategy": "least_busy"}),
    "usage-based-routing": ("selector.weighted", {"strategy": "least_busy"}),
    "usage-based-routing-v2": ("selector.weighted", {"strategy": "least_busy"}),
    "latency-based-routing": ("selector.latency", {}),
    "cost-based-routing": ("selector.cost", {}),
}
SINKS = {"prometheus": "sink.prometheus", "otel": "sink.otel"}
PARAMS = {
    "model", "api_key", "api_base", "api_version", "organization", "timeout", "stream_timeout", "rpm", "tpm", "weight", "custom_llm_provider",
    "aws_region_name", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_profile_name", "vertex_project",
    "vertex_location", "vertex_credentials", "input_cost_per_token", "output_cost_per_token",
}  # fmt: skip


def read(path: Path) -> Mapped:
    """Raises `ConfigError` for what is no YAML mapping."""
    try:
        import yaml
    except ImportError:
        raise ConfigError(['a YAML file needs one more package: pip install "lynkr-core[litellm]"']) from None
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None
    if not table(told).get("model_list"):
        raise ConfigError([f"{path}: has no model_list, so it is no LiteLLM configuration"])
    return table(told)


def drafted(path: Path) -> Draft:
    """Everything that has a counterpart, and the names of what has none."""
    draft, told = Draft(path.name), read(path)
    deployments(draft, told["model_list"])
    settings(draft, mapping(told, "litellm_settings"))
    router(draft, mapping(told, "router_settings"), shared=any(len(ids) > 1 for ids in draft.table("models").values()))
    general(draft, mapping(told, "general_settings"))
    for name in mapping(told, "environment_variables"):
        draft.miss(f"environment_variables.{name}", "set it where lynkr runs")
    for name in told.keys() - {"model_list", "litellm_settings", "router_settings", "general_settings", "environment_variables"}:
        draft.miss(name)
    return draft


def mapping(told: Mapped, name: str) -> Mapped:
    return table(told.get(name))


def table(value: Any) -> Mapped:
    """A mapping, as which everything else counts as empty."""
    return cast("Mapped", value) if isinstance(value, dict) else {}


def deployments(draft: Draft, listed: Any) -> None:
    """`model_list`: providers, names, prices and rates."""
    models = draft.table("models")
    for each in cast("list[Any]", listed) if isinstance(listed, list) else []:
        entry = table(each)
        name, params = str(entry.get("model_name", "")), mapping(entry, "litellm_params")
        id = candidate(draft, name, params)
        if id is None:
            continue
        if "*" in name or id.endswith("*"):
            draft.miss(f"the wildcard {name}", "ask for provider/model; bare names that nobody lists need [routing] remap")
            continue
        models.setdefault(name, []).append(id)
        details(draft, name, id, params, mapping(entry, "model_info"))


def candidate(draft: Draft, name: str, params: Mapped) -> str | None:
    """`instance/model` of a deployment; None for one of a provider that is none here."""
    first, slash, rest = str(params.get("model", "")).partition("/")
    kind = str(params.get("custom_llm_provider") or (first if slash else "openai"))
    model = rest if slash and kind == first else str(params.get("model", ""))
    plugin = LITELLM.get(kind)
    if plugin is None or not model:
        draft.miss(f"{name}: the provider {kind}", "has no plugin")
        return None
    base = params.get("api_base")
    if plugin == "openai" and base:
        plugin = "openai-compatible"
    return f"{draft.provider(plugin, provider_settings(draft, plugin, params))}/{model}"


def provider_settings(draft: Draft, plugin: str, params: Mapped) -> dict[str, Any]:
    """The table of the provider that a deployment needs."""
    made: dict[str, Any] = {}
    if base := params.get("api_base"):
        made["base_url"] = environment(str(base))
    if (own := params.get("api_key")) or (plugin in KEYS and not base):
        made["api_key"] = secret(draft, str(own or f"{FROM_ENVIRONMENT}{KEYS[plugin]}"), KEYS.get(plugin, "PROVIDER_API_KEY"))
    for theirs, ours, plugins in SETTINGS:
        if params.get(theirs) and plugin in plugins:
            said = str(params[theirs])
            made[ours] = secret(draft, said, theirs.upper()) if "secret" in theirs or "token" in theirs else environment(said)
    if plugin == "azure-openai" and params.get("api_version"):
        made["api"] = "classic"
    return made


SETTINGS = (
    ("api_version", "api_version", {"azure-openai"}), ("organization", "organization", {"openai"}),
    ("aws_region_name", "region", {"bedrock"}), ("aws_access_key_id", "access_key_id", {"bedrock"}),
    ("aws_secret_access_key", "secret_access_key", {"bedrock"}), ("aws_session_token", "session_token", {"bedrock"}),
    ("aws_profile_name", "profile", {"bedrock"}), ("vertex_project", "project", {"vertex"}),
    ("vertex_location", "location", {"vertex"}), ("vertex_credentials", "credentials", {"vertex"}),
)  # fmt: skip
"""Their name, ours, and at which plugins."""


def environment(said: str) -> str:
    """`os.environ/NAME` as `${NAME}`."""
    name = said.removeprefix(FROM_ENVIRONMENT)
    return f"${{{name}}}" if said != name and VARIABLE.fullmatch(name) else said


def secret(draft: Draft, said: str, name: str) -> str:
    """A key that stood in the file itself goes into a variable; another one's under another name."""
    if said.startswith(FROM_ENVIRONMENT):
        return environment(said)
    free = (f"{name}_{count}" if count else name for count in range(1000))
    return draft.secret(said, next(other for other in free if draft.keys.get(other, said) == said))


def details(draft: Draft, name: str, id: str, params: Mapped, info: Mapped) -> None:
    """What one deployment costs, and how much of it may be used."""
    price = {
        ours: round(float(cost) * MILLION, 6)
        for ours in ("input", "output")
        if isinstance(cost := info.get(f"{ours}_cost_per_token", params.get(f"{ours}_cost_per_token")), int | float)
    }
    if price:
        draft.table("prices")[id] = price
    if params.get("weight"):
        draft.table("selector.weighted")
        draft.lists.setdefault("selector.weighted.share", []).append({"to": id, "weight": params["weight"]})
    for theirs, ours in (("rpm", "requests"), ("tpm", "tokens")):
        if params.get(theirs):
            draft.table("policy.ratelimit")
            limit = {"scope": f"model:{id}", ours: int(params[theirs]), "per": "minute"}
            draft.lists.setdefault("policy.ratelimit.limit", []).append(limit)
    for left in params.keys() - PARAMS:
        draft.miss(f"{name}: litellm_params.{left}")


def settings(draft: Draft, told: Mapped) -> None:
    """`litellm_settings`."""
    for name, value in told.items():
        if name in SHARED:
            SHARED[name](draft, value)
        elif name == "cache" and value:
            cache(draft, mapping(told, "cache_params"))
        elif name == "max_budget":
            budget(draft, value, told.get("budget_duration"))
        elif name in ("callbacks", "success_callback", "failure_callback"):
            sinks(draft, name, value)
        elif name not in ("cache", "cache_params", "budget_duration"):
            draft.miss(f"litellm_settings.{name}")


def cache(draft: Draft, told: Mapped) -> None:
    made = draft.table("cache.exact")
    if isinstance(told.get("ttl"), int | float):
        made["ttl"] = float(told["ttl"])
    kind = told.get("type", "local")
    if kind == "redis":
        redis(draft, told)
    elif kind != "local":
        draft.miss(f"cache_params.type = {kind}", "answers are kept in the configured store")


def redis(draft: Draft, told: Mapped) -> None:
    host, port = environment(str(told.get("host", "127.0.0.1"))), environment(str(told.get("port", 6379)))
    auth = f":{secret(draft, str(told['password']), 'REDIS_PASSWORD')}@" if told.get("password") else ""
    draft.table("store.redis")["url"] = f"redis://{auth}{host}:{port}/0"


def budget(draft: Draft, usd: Any, span: Any) -> None:
    draft.table("policy.budget")
    found = re.fullmatch(r"(\d+)(s|mo|m|h|d|w)", str(span or ""))
    limit = {"scope": "everyone", "usd": float(usd), "per": SPANS[found[2]] if found and found[1] == "1" else "total"}
    draft.lists.setdefault("policy.budget.limit", []).append(limit)
    if span and not (found and found[1] == "1"):
        draft.miss(f"budget_duration = {span}", "there are minute, hour, day, week, month and total; the limit is for all time")


def sinks(draft: Draft, name: str, told: Any) -> None:
    for each in cast("list[Any]", told) if isinstance(told, list) else [told]:
        if each in SINKS:
            draft.table(SINKS[each])
        else:
            draft.miss(f"litellm_settings.{name}: {each}")


def fallbacks(draft: Draft, told: Any) -> None:
    """Their candidates stand behind those of the name that falls back."""
    models = draft.table("models")
    for name, others in pairs(told):
        for id in [id for other in others for id in models.get(other, [])]:
            if name in models and id not in models[name]:
                models[name].append(id)


def pairs(told: Any) -> Iterator[tuple[str, list[str]]]:
    for each in cast("list[Any]", told) if isinstance(told, list) else []:
        yield from table(each).items()


def default_fallbacks(draft: Draft, told: Any) -> None:
    fallbacks(draft, [{name: told} for name in draft.table("models")])


def retries(draft: Draft, told: Any) -> None:
    draft.table("routing")["retries"] = int(told)


def timeout(draft: Draft, told: Any) -> None:
    draft.table("routing.limits")["attempt"] = float(told)


def drop(draft: Draft, told: Any) -> None:
    draft.table("routing")["unsupported"] = "drop" if told else "refuse"


def aliases(draft: Draft, told: Any) -> None:
    models = draft.table("models")
    for alias, name in cast("dict[str, Any]", told).items():
        target = str(table(name).get("model", "")) or str(name)
        if target in models:
            models[alias] = list(models[target])
        else:
            draft.miss(f"the alias {alias}", f"{target} is not listed")


SHARED: dict[str, Callable[[Draft, Any], None]] = {
    "num_retries": retries, "request_timeout": timeout, "timeout": timeout, "fallbacks": fallbacks, "drop_params": drop,
    "context_window_fallbacks": fallbacks, "content_policy_fallbacks": fallbacks, "default_fallbacks": default_fallbacks,
    "model_group_alias": aliases,
}  # fmt: skip
"""What `litellm_settings` and `router_settings` have in common."""


def router(draft: Draft, told: Mapped, *, shared: bool) -> None:
    """`router_settings`. `shared`: some names have several deployments, between which LiteLLM draws lots unless told otherwise."""
    for name, value in told.items():
        if name in SHARED:
            SHARED[name](draft, value)
        elif name == "redis_host":
            redis(draft, {"host": value, "port": told.get("redis_port", 6379), "password": told.get("redis_password")})
        elif name not in ("routing_strategy", "redis_port", "redis_password"):
            draft.miss(f"router_settings.{name}")
    strategy = str(told.get("routing_strategy", "simple-shuffle"))
    if strategy not in STRATEGIES:
        draft.miss(f"routing_strategy = {strategy}")
    elif shared:
        plugin, options = STRATEGIES[strategy]
        draft.table(plugin).update(options)


def general(draft: Draft, told: Mapped) -> None:
    """`general_settings`."""
    for name, value in told.items():
        if name == "master_key":
            draft.table("server")["admin_key"] = secret(draft, str(value), "LYNKR_ADMIN_KEY")
            draft.table("auth.keys")
            draft.miss("general_settings.master_key", "it is the admin key here; make keys for callers with `lynkr keys create`")
        elif name == "database_url":
            draft.table("store.postgres")["url"] = secret(draft, str(value), "DATABASE_URL")
            draft.table("sink.journal")
        else:
            draft.miss(f"general_settings.{name}")
