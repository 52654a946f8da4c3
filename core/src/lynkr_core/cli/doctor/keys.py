"""Where secrets stand in a configuration: which are there, which variables they come from, and which texts must never be printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin
from urllib.parse import urlsplit

from msgspec import Struct, structs

from lynkr_core.cli.doctor.finding import Finding, good, warning
from lynkr_core.config import REFERENCE, resolved
from lynkr_core.errors import PluginError
from lynkr_core.kernel import Kernel
from lynkr_core.order import KINDS
from lynkr_core.plugins import manifest
from lynkr_core.provider import HTTPConfig, HTTPProvider, Provider
from lynkr_core.secret import Secret
from lynkr_core.settings import Server

PLAIN = frozenset(field.name for field in structs.fields(HTTPConfig))
"""Settings that every provider has: with no more secrets than these there is no other way to a key."""

STRAY = "\"' \t\r\n"
"""What gets around a key when it is copied."""


class Place(Struct, frozen=True, kw_only=True):
    """A text that stands where a secret belongs. `section`: `provider.work`; `path`: `api_key`; `text`: as written in the file."""

    section: str
    path: str
    text: str

    @property
    def variables(self) -> list[str]:
        return [name for name, _ in REFERENCE.findall(self.text)]

    @property
    def file(self) -> str | None:
        return self.text[5:] if self.text.startswith("file:/") else None

    @property
    def written_out(self) -> bool:
        """Whether the secret itself stands in the file, or its default does."""
        return self.file is None and bool(REFERENCE.sub(lambda found: found.group(2) or "", self.text))

    def value(self, environ: Mapping[str, str]) -> str:
        """Empty when it cannot be had."""
        return resolved(self.text, environ, "", []) or ""


def places(tables: Mapping[str, Any]) -> list[Place]:
    """Every one in the file, by the types of the settings; a plugin that cannot be imported is told of elsewhere."""
    found = [Place(section="server", path=path, text=text) for path, text in texts(tables.get("server"), Server, "") if text]
    for kind, names in tables.items():
        if kind in KINDS and isinstance(names, dict):
            for name, table in cast("dict[str, Any]", names).items():
                found += of_plugin(kind, name, table)
    return found


def of_plugin(kind: str, name: str, table: Any) -> list[Place]:
    use = cast("dict[str, Any]", table).get("use", name) if isinstance(table, dict) else name
    try:
        config = manifest(kind, use).config if isinstance(use, str) else None
    except PluginError:
        config = None
    found = texts(table, config, "") if config else named_so(table, "")
    return [Place(section=f"{kind}.{name}", path=path, text=text) for path, text in found if text]


def texts(value: Any, type: Any, path: str) -> Iterator[tuple[str, str]]:
    """Path and text of each string that the type says is a secret."""
    for option in options(type):
        if option is Secret and isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            table = cast("dict[str, Any]", value)
            fields = field_types(option)
            arguments = get_args(option) if get_origin(option) is dict else (None, None)
            for key, item in table.items():
                yield from texts(item, fields.get(key, arguments[1]), f"{path}.{key}".lstrip("."))
        elif isinstance(value, list) and get_args(option):
            for index, item in enumerate(cast("list[Any]", value)):
                yield from texts(item, get_args(option)[0], f"{path}[{index}]")


def options(type: Any) -> Iterator[Any]:
    """A type without what is around it, and each of a union's."""
    if get_origin(type) is Annotated:
        yield from options(get_args(type)[0])
    elif get_origin(type) in (Union, UnionType):
        for one in get_args(type):
            yield from options(one)
    else:
        yield type


def field_types(option: Any) -> dict[str, Any]:
    """Those of a Struct; of anything else none."""
    if not isinstance(option, type) or not issubclass(option, Struct):
        return {}
    return {field.encode_name: field.type for field in structs.fields(option)}


def named_so(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """What by its name must be a secret, where there is no type to ask."""
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            if isinstance(item, str) and key.endswith(("key", "secret", "token", "password")):
                yield f"{path}.{key}".lstrip("."), item
            else:
                yield from named_so(item, f"{path}.{key}")


def hidden(tables: Mapping[str, Any], found: list[Place], environ: Mapping[str, str]) -> Iterator[str]:
    """Texts that must not be printed: the secrets, and the passwords in addresses."""
    for place in found:
        value = place.value(environ)
        yield from (value, value.strip(STRAY))
        yield from (environ.get(name, "") for name in place.variables)
        yield from (default for _, default in REFERENCE.findall(place.text) if default)
    for text in strings(resolved(dict(tables), environ, "", [])):
        yield from passwords(text)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        inner = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        for item in inner:
            yield from strings(item)


def passwords(text: str) -> Iterator[str]:
    try:
        found = urlsplit(text).password if "://" in text else None
    except ValueError:
        found = None
    if found:
        yield found


def check(kernel: Kernel, found: list[Place], environ: Mapping[str, str]) -> Iterator[Finding]:
    """For each provider whether it has a key, and whether a secret looks spoilt. Missing variables are mistakes of the file."""
    for name, provider in kernel.catalog.providers.items():
        yield of_provider(provider, [place for place in found if place.section == f"provider.{name}"], environ)
    for place in found:
        value = place.value(environ)
        if value.strip(STRAY) != value:
            told = f"{place.path} begins or ends with a space or a quotation mark"
            yield warning(place.section, told, f"take it out of {source(place)}")


def of_provider(provider: Provider, found: list[Place], environ: Mapping[str, str]) -> Finding:
    where = f"provider.{provider.name}"
    present = [place for place in found if place.value(environ)]
    if present:
        return good(where, "; ".join(f"{place.path} is set, from {source(place)}" for place in present))
    if provider.local or not isinstance(provider, HTTPProvider):
        return good(where, "has no key, and runs on your own machines" if provider.local else "needs no key")
    if set(secrets_of(provider)) - PLAIN:
        return good(where, "has no key in lynkr.toml and finds its credentials by itself; --live shows whether they are good")
    empty = ", ".join(name for place in found for name in place.variables)
    do = f"set {empty}" if empty else f'set api_key = "${{NAME}}" in [{where}], NAME being the variable that holds it'
    return warning(where, "has no key, and is not local", do)


def secrets_of(provider: HTTPProvider) -> list[str]:
    """The settings of this provider that are secrets, or are about credentials."""
    fields = structs.fields(provider.config)
    return [field.name for field in fields if Secret in options(field.type) or "credential" in field.name]


def source(place: Place) -> str:
    """Where a secret comes from, in words."""
    if place.variables:
        return f"the environment variable {', '.join(place.variables)}"
    return f"the file {place.file}" if place.file else "lynkr.toml itself"
