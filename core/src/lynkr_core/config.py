"""`lynkr.toml`: read, filled in from the environment, and checked whole, so that every mistake is told at once."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin

import msgspec
from msgspec import Struct, structs

from lynkr_core.candidates import AUTO, TIERS
from lynkr_core.cards import Price
from lynkr_core.errors import ConfigError
from lynkr_core.order import KINDS
from lynkr_core.secret import Secret
from lynkr_core.settings import Routing, Server, TierTable

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class PluginTable(Struct, frozen=True, kw_only=True):
    """One `[KIND.NAME]` table. `use` is the plugin's name, `table` the rest."""

    kind: str
    name: str
    use: str
    table: dict[str, Any]

    @property
    def section(self) -> str:
        return f"{self.kind}.{self.name}"


class Config(Struct, kw_only=True):
    """A whole `lynkr.toml`, references resolved, plugin tables not yet converted."""

    server: Server = msgspec.field(default_factory=Server)
    routing: Routing = msgspec.field(default_factory=Routing)
    tiers: TierTable = msgspec.field(default_factory=TierTable)
    models: dict[str, list[str]] = {}
    prices: dict[str, Price] = {}
    order: dict[str, int] = {}
    plugins: list[PluginTable] = []
    file: str = "lynkr.toml"
    mistakes: list[str] = []  # with one of them it can be looked at, not served
    hash: str = ""  # of the file's text, 12 hex digits; secrets from the environment or from other files do not go into it


def load(path: Path, environ: Mapping[str, str], *, strict: bool = True) -> Config:
    """Reads and checks a file. Raises `ConfigError` with every mistake that can be seen without the plugins; when not `strict`, they
    stand in the configuration, and a kernel that is to be made of it tells them together with those of the plugins.
    """
    return parse(read(path), environ, path.name, strict=strict)


def read(path: Path) -> str:
    """The file's text. Raises `ConfigError`."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}; `lynkr init` writes one"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8: {error.reason} at byte {error.start}"]) from None


def parse(text: str, environ: Mapping[str, str], file: str = "lynkr.toml", *, strict: bool = True) -> Config:
    """As `load`, from the file's text."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{file}: not TOML: {error}"]) from None
    config = Config(file=file, hash=hashlib.sha256(text.encode()).hexdigest()[:12])
    _build(tables, environ, config)
    config.mistakes += _references(config, isinstance(tables.get("provider", {}), dict))
    if strict and config.mistakes:
        raise ConfigError(config.mistakes)
    return config


def resolved(value: Any, environ: Mapping[str, str], where: str, mistakes: list[str]) -> Any:
    """`${NAME}`, `${NAME:-default}` and `file:/path` replaced in every string. A string of which a part is missing is None; so that nothing
    else is told of it, it is left out of its table or list.
    """
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {key: it for key, item in pairs if (it := resolved(item, environ, f"{where}.{key}", mistakes)) is not None}
    if isinstance(value, list):
        items = enumerate(cast("list[Any]", value))
        return [it for i, item in items if (it := resolved(item, environ, f"{where}[{i}]", mistakes)) is not None]
    if not isinstance(value, str):
        return value
    if value.startswith("file:/"):
        return _file_content(value[5:], where, mistakes)
    found = len(mistakes)
    text = REFERENCE.sub(lambda match: _variable(match, environ, where, mistakes), value)
    return text if len(mistakes) == found else None


def _variable(match: re.Match[str], environ: Mapping[str, str], where: str, mistakes: list[str]) -> str:
    name, default = match.group(1), match.group(2)
    value = environ.get(name) or default
    if value is None:
        mistakes.append(f"{where}: the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
        return ""
    return value


def _file_content(path: str, where: str, mistakes: list[str]) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(f"{where}: the file {path} cannot be read: {getattr(error, 'strerror', None) or 'not text'}")
        return None


SECTIONS: dict[str, Any] = {
    "server": Server,
    "routing": Routing,
    "tiers": TierTable,
    "models": dict[str, list[str]],
    "prices": dict[str, Price],
    "order": dict[str, int],
}


def _build(tables: dict[str, Any], environ: Mapping[str, str], config: Config) -> None:
    """Fills in what is good: there may be more to tell of it. A mistyped section is taken for the one that was meant."""
    known = [*SECTIONS, *KINDS]
    for name, value in tables.items():
        if name not in known:
            config.mistakes.append(f"{config.file}: [{name}]: unknown section{suggestion(name, known)}")
            name = next(iter(difflib.get_close_matches(name, known, 1, 0.75)), name)
        where = f"{config.file}: [{name}]"
        if name in KINDS:
            config.plugins += _plugin_tables(name, value, environ, config)
        elif (value := resolved(value, environ, f"{where} $", config.mistakes)) is not None and name in SECTIONS:
            setattr(config, name, _section(value, SECTIONS[name], where, config.mistakes))


def _section(value: Any, type: Any, where: str, mistakes: list[str]) -> Any:
    """`value` as `type`; without the keys that are wrong, which are added to `mistakes`."""
    if (whole := convert(value, type, where, mistakes)) is not None:
        return whole
    items = cast("dict[str, Any]", value).items() if isinstance(value, dict) else ()
    good = {key: item for key, item in items if convert({key: item}, type, "", []) is not None}
    return msgspec.convert(good, type, dec_hook=_secret)


def _plugin_tables(kind: str, tables: Any, environ: Mapping[str, str], config: Config) -> Iterator[PluginTable]:
    """One for each name, as others refer to it; `use` is empty where it cannot be told."""
    if not isinstance(tables, dict):
        config.mistakes.append(f"{config.file}: [{kind}]: expected tables [{kind}.NAME]")
        return
    for name, value in cast("dict[str, Any]", tables).items():
        where = f"{config.file}: [{kind}.{name}]"
        table = cast("dict[str, Any]", resolved(value if isinstance(value, dict) else {}, environ, f"{where} $", config.mistakes))
        use = table.pop("use", "" if "use" in value else name) if isinstance(value, dict) else None
        if not isinstance(use, str) or cast("dict[str, Any]", value).get("use") == "":
            config.mistakes.append(f"{where}: expected a table" if use is None else f"{where} $.use: expected a plugin's name")
        yield PluginTable(kind=kind, name=name, use=use if isinstance(use, str) else "", table=table)


def _references(config: Config, whole: bool) -> Iterator[str]:
    """Candidates must name an enabled provider, and an order a plugin. `whole`: it is known which ones there are."""
    enabled = [plugin.section for plugin in config.plugins]
    providers = [plugin.name for plugin in config.plugins if plugin.kind == "provider"]
    named = [*(("tiers", *one) for one in config.tiers.tables().items()), *(("models", *one) for one in config.models.items())]
    for section, name, ids in named:
        for id in ids:
            provider, slash, model = id.partition("/")
            where = f"{config.file}: [{section}] $.{name}: {id!r}"
            if not slash or not model:
                yield f"{where}: expected provider/model"
            elif whole and provider not in providers:
                yield f"{where}: there is no [provider.{provider}]{suggestion(provider, providers)}"
    if list(config.tiers.bounds) != sorted(config.tiers.bounds):
        yield f"{config.file}: [tiers] $.bounds: must rise, as in [25, 50, 75]"
    for id in [id for id in config.order if whole and id not in enabled]:
        yield f"{config.file}: [order]: there is no [{id}]{suggestion(id, enabled)}"
    for name in [name for name in config.models if name in AUTO or name in TIERS]:
        yield f"{config.file}: [models] $.{name}: {name!r} has a meaning of its own; take another name"


def convert(value: Any, type: Any, where: str, mistakes: list[str], path: str = "$") -> Any:
    """`value` as `type`, or None with every mistake in it added as `where path: what`."""
    found = len(mistakes)
    bare = get_args(type)[0] if get_origin(type) is Annotated else type
    if inspect.isclass(bare) and issubclass(bare, Struct) and isinstance(value, dict):
        _check_fields(cast("dict[str, Any]", value), bare, where, mistakes, path)
    elif get_origin(bare) is dict and isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            convert(item, get_args(bare)[1], where, mistakes, f"{path}.{key}")
    elif get_origin(bare) is list and isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            convert(item, get_args(bare)[0], where, mistakes, f"{path}[{index}]")
    if len(mistakes) > found:
        return None
    try:
        return msgspec.convert(value, type, dec_hook=_secret)
    except msgspec.ValidationError as error:
        mistakes.append(f"{where} {_located(str(error), path)}")
        return None


def _check_fields(value: dict[str, Any], type: type[Struct], where: str, mistakes: list[str], path: str) -> None:
    fields = {field.encode_name: field for field in structs.fields(type)}
    for key, item in value.items():
        if key in fields:
            convert(item, fields[key].type, where, mistakes, f"{path}.{key}")
        elif type.__struct_config__.forbid_unknown_fields:
            mistakes.append(f"{where} {path}.{key}: unknown key{suggestion(key, fields)}")
    for name, field in fields.items():
        missing = f"{where} {path}.{name}: "
        if field.required and name not in value and not any(told.startswith(missing) for told in mistakes):
            mistakes.append(f"{missing}is required")


def _located(message: str, path: str) -> str:
    """msgspec's message with its path put in front: "$.timeout: expected `float`, got `str`"."""
    text, _, inner = message.partition(" - at `$")
    return f"{path}{inner.rstrip('`')}: {text[:1].lower()}{text[1:]}".replace("`", "")


def _secret(type: Any, value: Any) -> Any:
    if type is Secret and isinstance(value, str):
        return Secret(value)
    raise msgspec.ValidationError(f"expected str, got {value.__class__.__name__}")


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or the known ones when none is near and they are few."""
    known = list(known)
    near = difflib.get_close_matches(word, known, 1, 0.6)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known: {', '.join(known)}" if 0 < len(known) <= 15 else ""
