"""The detector `presidio`: what Microsoft Presidio's recognisers find. Needs the extra of the same name."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from secrets import token_bytes
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from lynkr_core.stores import Recent
from lynkr_policy_guardrails.detecting import Hit

REMEMBERED = 4096
"""Texts of which it is known what is in them; a conversation comes whole with each turn."""


class Settings(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[policy.guardrails.detector.presidio]`"""

    language: Annotated[str, Meta(description="Of the recognisers and their words.")] = "en"
    model: Annotated[
        str, Meta(description="A spaCy model that is installed, which knows names and places; none: patterns only.")
    ] = ""
    entities: Annotated[
        list[str], Meta(description="Presidio's names of what is looked for; none: all that its recognisers know.")
    ] = []
    score: Annotated[float, Meta(ge=0, le=1, description="How sure it must be.")] = 0.5


class Presidio:
    """Its rules are called as Presidio's entities, in small letters: `person`, `us_passport`; their group is `personal`."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        """Raises `ValueError` for settings that cannot be, `ImportError` where Presidio is missing, `OSError` for an unknown model."""
        self._settings = msgspec.convert(dict(table), Settings)
        self._analyzer = analyzer(self._settings)
        supported = cast("list[str]", self._analyzer.get_supported_entities(self._settings.language))
        unknown = set(self._settings.entities) - set(supported)
        if unknown:
            raise ValueError(f"entities: {', '.join(sorted(unknown))}: unknown to it; it has {', '.join(sorted(supported))}")
        self._entities = self._settings.entities or supported
        self.rules: Mapping[str, str] = {entity.lower(): "personal" for entity in self._entities}
        self._key = token_bytes(32)
        self._known: Recent[bytes, tuple[Hit, ...]] = Recent(REMEMBERED)
        self._lock = threading.Lock()

    def find(self, text: str) -> Iterable[Hit]:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()
        with self._lock:
            found = self._known.get(digest)
            if found is None:
                found = self._found(text)
                self._known.set(digest, found)
        return found

    def _found(self, text: str) -> tuple[Hit, ...]:
        settings = self._settings
        told = self._analyzer.analyze(text, settings.language, entities=self._entities, score_threshold=settings.score)
        return tuple([Hit(one.start, one.end, one.entity_type.lower()) for one in told])


def analyzer(settings: Settings) -> Any:
    """Presidio's, which asks nobody over the network and downloads nothing."""
    import spacy  # pyright: ignore[reportMissingImports]
    import tldextract  # pyright: ignore[reportMissingImports]
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry  # pyright: ignore[reportMissingImports]
    from presidio_analyzer.nlp_engine import SpacyNlpEngine  # pyright: ignore[reportMissingImports]

    language, name = settings.language, settings.model or settings.language
    tldextract.tldextract.TLD_EXTRACTOR.suffix_list_urls = ()  # it has a list of its own, and would fetch another one
    engine: Any = SpacyNlpEngine(models=[{"lang_code": language, "model_name": name}])
    engine.nlp = {language: spacy.load(settings.model) if settings.model else spacy.blank(language)}
    registry: Any = RecognizerRegistry(supported_languages=[language])
    registry.load_predefined_recognizers(languages=[language], nlp_engine=engine)
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[language])
