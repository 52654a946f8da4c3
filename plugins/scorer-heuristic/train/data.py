"""Every text that is learned from, with what is known of it, and where it comes from.

`pairs.jsonl.gz`   requests with the scores of many models; sources and licences in `MODEL.md`
`tier_labels_weak.jsonl.gz`   prompts with a tier, UncommonRoute bench (MIT, Copyright (c) 2025-2026 Commonstack AI)
`labelled.tsv`     prompts of this project's own: tier, language, text (Apache-2.0)
`requests.tsv`     the same by a second author: acceptable tiers with the best one first, language, kind, text (Apache-2.0)
`plainly.tsv`      the same by a third author, plainly worded and very short ones, hard and easy (Apache-2.0)
`ordinary.tsv`     the same by a fourth author, ordinary and alike in several languages and tiers (Apache-2.0)
`subjects.tsv`     the same by a fifth author, over many subjects (Apache-2.0)
`fields.tsv`       the same by a sixth author, of many trades, much with pasted material (Apache-2.0)
`templates.tsv`    the same by a seventh author, templates of automation and pasted material (Apache-2.0)
`sessions.tsv`     the same by an eighth author, sessions of coding agents and ordinary people, trigger words (Apache-2.0)
`native.tsv`       the same by a ninth author, Russian, Spanish and German as they are typed (Apache-2.0)
`abroad.tsv`       the same by an eleventh author: Spanish, French, Portuguese, Italian, Russian (Apache-2.0)
`flows.tsv`        the same by a twelfth author: what programs and automations send (Apache-2.0)
`brief.tsv`        the same by a thirteenth author: very short ones, harmless trigger words, hard ones in plain words (Apache-2.0)
`coding.tsv`       the same by a fourteenth author: code, agents, operation (Apache-2.0)
`week.tsv`         the same by a fifteenth author: a sample of everything (Apache-2.0)
`german.tsv`       the same by a sixteenth author: everything, in German and English (Apache-2.0)
`asian.tsv`        the same by a seventeenth author: everything, in Chinese, English, Japanese and Korean (Apache-2.0)
`trades.tsv`       the same by an eighteenth author: business, data, operation, security and everyday life (Apache-2.0)
`misleading.tsv`   the same by a nineteenth author: the same words in harmless and in hard prompts (Apache-2.0)
`russian.tsv`      the same by a twentieth author: everything, in Russian, Spanish and English (Apache-2.0)
`idioms.tsv`       the same by a twenty-third author: words that look hard as names, idioms and topics, and real proofs (Apache-2.0)
`harmless.tsv`     the same by a twenty-fourth author: the same, and honest wishes of middling difficulty with such words (Apache-2.0)
`east.tsv`         the same by a twenty-seventh author: Chinese, Japanese, Korean, Russian, English (Apache-2.0)
`west.tsv`         the same by a twenty-eighth author: German, Spanish, French, Portuguese, Italian, English (Apache-2.0)
`banter.tsv`       the same by a twenty-ninth author: mostly English (Apache-2.0)
`terse.tsv`        the same by a thirtieth author: very short ones and plain words, hard and easy (Apache-2.0)
`homely.tsv`       the same by a thirty-first author: the same (Apache-2.0)
`pasted.tsv`       the same by a thirty-third author: pasted material, hard and easy; what programs send (Apache-2.0)
`curt.tsv`         the same by a thirty-fourth author: very short ones and plain words, hard and easy (Apache-2.0)
`laymen.tsv`       the same by a thirty-fifth author: proofs, and what laymen are told of them (Apache-2.0)
`passages.tsv`     the second author's tasks (tier, language, text) that are put before or after one of its passages (`P`) (Apache-2.0)
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from lynkr_core.dialect import read_fields
from lynkr_scorer_heuristic.ask import last_ask

LETTERS = "SMCR"
TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "REASONING")
LATER = {
    "plainly": "third",
    "ordinary": "fourth",
    "subjects": "fifth",
    "fields": "sixth",
    "templates": "seventh",
    "sessions": "eighth",
    "native": "ninth",
    "abroad": "eleventh",
    "flows": "twelfth",
    "brief": "thirteenth",
    "coding": "fourteenth",
    "week": "fifteenth",
    "german": "sixteenth",
    "asian": "seventeenth",
    "trades": "eighteenth",
    "misleading": "nineteenth",
    "russian": "twentieth",
    "idioms": "twenty-third",
    "harmless": "twenty-fourth",
    "east": "twenty-seventh",
    "west": "twenty-eighth",
    "banter": "twenty-ninth",
    "terse": "thirtieth",
    "homely": "thirty-first",
    "pasted": "thirty-third",
    "curt": "thirty-fourth",
    "laymen": "thirty-fifth",
}
"""The files of later authors."""
USUAL = (
    "fifth", "sixth", "seventh", "eighth", "ninth", "eleventh", "twelfth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "twentieth",
)  # fmt: skip
"""Authors who wrote what people and programs ask, not what is hard to tell: bounds are found on theirs."""
FAMILIES = {
    "gsm8k": "arithmetic", "agentverse-mgsm": "arithmetic", "mbpp": "code", "human_eval": "code", "rb_mbpp": "code",
    "arc_challenge": "science", "openbook_qa": "science", "rb_arc_challenge": "science", "commonsense_qa": "sense",
    "commongen": "sense", "rb_winograde": "sense", "trivia_qa": "facts", "natural_qa": "facts", "agentverse-logicgrid": "logic",
    "mmlu": "exams", "bfcl": "tools",
}  # fmt: skip
"""Sources that ask the same kind of thing. A family is held out as a whole."""


@dataclass
class Row:
    """`kind`: pair, weak or own. `fails`: the share of the weaker half of its source's models that fail; NaN where nothing is known.

    `right`: acceptable tiers, if there are several; `batch`: who wrote it, of our own.
    """

    kind: str
    id: str
    text: str
    source: str
    family: str
    tier: int = -1
    fails: float = float("nan")
    language: str = "en"
    templated: bool = False
    sub: str = ""
    right: tuple[int, ...] = ()
    batch: str = ""


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def ask_of(item: dict[str, Any]) -> str:
    return last_ask(read_fields(msgspec.json.encode({"messages": item["messages"]}))).text


def read(folder: Path) -> list[Row]:
    rows = [*pairs(folder / "pairs.jsonl.gz"), *weak(folder / "tier_labels_weak.jsonl.gz")]
    here = Path(__file__).parent
    second = requests(here / "requests.tsv") + long(here / "passages.tsv")
    later = [row for name, batch in LATER.items() for row in requests(here / f"{name}.tsv", batch)]
    return rows + own(here / "labelled.tsv") + second + later


def pairs(path: Path) -> list[Row]:
    items = list(read_lines(path))
    weaker = weaker_half(items)
    rows: list[Row] = []
    for item in items:
        source, sub = item["source"], item.get("sub") or ""
        name = f"{source} {sub}" if source == "llmrouter_mix" else source
        scores = [value for model, value in item["scores"].items() if model in weaker[source]]
        fails = 1 - sum(scores) / len(scores) if scores else float("nan")
        family = FAMILIES.get(sub) or FAMILIES[source] if source == "llmrouter_mix" else FAMILIES[source]
        rows.append(Row("pair", item["id"], ask_of(item), name, family, fails=fails, sub=sub))
    return rows


def weaker_half(items: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The weaker half of each source's models, of those that answered most of it."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    count: dict[str, int] = defaultdict(int)
    for item in items:
        count[item["source"]] += 1
        for model, value in item["scores"].items():
            found[item["source"]][model].append(value)
    weaker: dict[str, set[str]] = {}
    for source, models in found.items():
        ranked = sorted((sum(v) / len(v), model) for model, v in models.items() if len(v) > 0.7 * count[source])
        weaker[source] = {model for _, model in ranked[: max(1, len(ranked) // 2)]}
    return weaker


def weak(path: Path) -> list[Row]:
    return [
        Row(
            "weak", item["id"], ask_of(item), f"weak {item['cat']}", "weak", TIERS.index(item["tier"]),
            language=item["lang"] or "en", templated=item["templated"],
        )
        for item in read_lines(path)
    ]  # fmt: skip


def own(path: Path) -> list[Row]:
    return [
        Row("own", f"own-{index}", text, f"own {language}", "own", LETTERS.index(tier), language=language, batch="first")
        for index, (tier, language, text) in enumerate(cells(path))
    ]


def requests(path: Path, batch: str = "second") -> list[Row]:
    return [replace(of_second(f"{path.stem}-{index}", *row), batch=batch) for index, row in enumerate(cells(path))]


def of_second(name: str, tiers: str, language: str, kind: str, text: str) -> Row:
    right = tuple(map(LETTERS.index, tiers))
    source = f"own {kind} {language}"
    return Row(
        "own", name, text.replace("\\n", "\n"), source, "own", right[0], language=language, sub=kind, right=right, batch="second"
    )


def long(path: Path) -> list[Row]:
    """Every task with passages of its language, one after it and one before; and each passage without any."""
    rows = cells(path)
    passages = [(language, text) for mark, language, text in rows if mark == "P"]
    tasks = [row for row in rows if row[0] != "P"]
    found = [of_second(f"alone-{index}", "MS", language, "pasted", text) for index, (language, text) in enumerate(passages)]
    for index, (tiers, language, task) in enumerate(tasks):
        known = [text for spoken, text in passages if spoken == language]
        below, above = known[index % len(known)], known[(index * 2 + 1) % len(known)]
        for place, text in (("below", f"{task}\n\n{below}"), ("above", f"{above}\n\n{task}")):
            found.append(of_second(f"long-{index}-{place}", tiers, language, "pasted", text))
    return found


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
