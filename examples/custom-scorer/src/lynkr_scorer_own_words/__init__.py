"""Requests that name what we care about are demanding."""

import re
from typing import Annotated

from msgspec import Meta, Struct

from lynkr_core import Exchange, Plugin, Score

LONGEST = 20_000
"""Characters that are looked at, the last ones: a request may be of any length, and is scored before anybody answers."""
Word = Annotated[str, Meta(min_length=1)]
Points = Annotated[float, Meta(ge=0, le=100)]


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    words: Annotated[dict[Word, Points], Meta(min_length=1, description="How demanding a request with this word is, 0 to 100.")]
    otherwise: Annotated[Points, Meta(description="The score of one that has none of them.")] = 20.0


class OwnWordsScorer:
    """Looks for words in what a user last said. The highest score of those that are there counts."""

    def __init__(self, config: Config) -> None:
        self.points = {word.lower(): points for word, points in config.words.items()}
        self.otherwise = config.otherwise
        longest_first = sorted(self.points, key=len, reverse=True)
        self.pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")

    def score(self, exchange: Exchange) -> Score:
        said = [message.text for message in exchange.request.messages if message.role == "user"]
        found = set(self.pattern.findall(said[-1][-LONGEST:].lower())) if said else set[str]()
        if not found:
            return Score(value=self.otherwise, reason="none of our words")
        word = max(sorted(found), key=self.points.__getitem__)
        return Score(value=self.points[word], reason=f"it says {word!r}", signals={"words": len(found)})


plugin = Plugin(api=1, config=Config, create=OwnWordsScorer)
