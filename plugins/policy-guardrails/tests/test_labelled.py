"""Precision and recall on lines made for it: see labelled/README.md. `python test_labelled.py dev` prints every mistake."""

from __future__ import annotations

import random
import re
import sys
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from importlib import import_module
from pathlib import Path

import msgspec
import phonenumbers
import pytest
from stdnum import luhn

from lynkr_policy_guardrails.rules import built_in, ready
from lynkr_policy_guardrails.scanning import Budget, Scanner

HERE = Path(__file__).parent / "labelled"
SEEDS = range(3)
REGIONS = ("US", "GB", "DE", "FR", "ES", "CN")
GAP = re.compile(r"\{\{(~?)([a-z0-9_]+)\}\}|\[\[([a-z_]+):([^\]]+)\]\]")
UPPER, LOWER, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
ALNUM, HEX, WORD = UPPER + LOWER + DIGITS, "0123456789abcdef", UPPER + LOWER + DIGITS + "_-"
KEYS = {
    "aws_access_key": ("AKIA", UPPER + "234567", 16), "aws_secret": ("", ALNUM + "+/", 40), "github_token": ("ghp_", ALNUM, 36),
    "github_pat": ("github_pat_", ALNUM + "_", 82), "gitlab_token": ("glpat-", WORD, 20), "anthropic_key": ("sk-ant-api03-", WORD, 95),
    "openai_key": ("sk-proj-", WORD, 120), "openai_legacy": ("sk-", ALNUM, 48), "google_key": ("AIza", WORD, 35),
    "stripe_key": ("sk_live_", ALNUM, 24), "twilio_key": ("SK", HEX, 32), "npm_token": ("npm_", ALNUM, 36),
    "pypi_token": ("pypi-AgEIcHlwaS5vcmc", WORD, 130), "hf_token": ("hf_", UPPER + LOWER + DIGITS, 34), "groq_key": ("gsk_", ALNUM, 52),
    "digitalocean_token": ("dop_v1_", HEX, 64), "databricks_token": ("dapi", HEX, 32), "vault_token": ("hvs.", WORD, 90),
    "shopify_token": ("shpat_", HEX, 32), "linear_key": ("lin_api_", ALNUM, 40), "notion_token": ("ntn_", ALNUM, 46),
    "azure_storage": ("", ALNUM + "+/", 86), "hex_secret": ("", HEX, 40), "b64_secret": ("", ALNUM, 40), "hex7": ("", HEX, 7),
    "hex16": ("", HEX, 16), "hex32": ("", HEX, 32), "hex64": ("", HEX, 64), "md5": ("", HEX, 32), "sha1": ("", HEX, 40),
    "sha256": ("", HEX, 64), "word": ("", LOWER, 9), **{f"digits{n}": ("", DIGITS, n) for n in (4, 6, 8, 10, 12, 13, 16)},
    **{f"b64_{n}": ("", ALNUM + "+/", n) for n in (24, 40, 44, 88, 200)},
}  # fmt: skip
IDS = {  # by python-stdnum's module: how it is written, # a digit, A a letter
    "us_ssn": ("us.ssn", "###-##-####"), "es_dni": ("es.dni", "########A"), "es_nie": ("es.nie", "X#######A"),
    "fr_nir": ("fr.nir", "1##0####0######"), "it_cf": ("it.codicefiscale", "AAAAAA##A##A###A"), "de_tax_id": ("de.idnr", "###########"),
    "nl_bsn": ("nl.bsn", "#########"), "be_nn": ("be.nn", "8#.0#.1#-###.##"), "pl_pesel": ("pl.pesel", "8#0#1######"),
    "br_cpf": ("br.cpf", "###.###.###-##"), "se_pn": ("se.personnummer", "8#0#1#-####"), "fi_hetu": ("fi.hetu", "1#0#8#-###A"),
    "no_fnr": ("no.fodselsnummer", "1#0#8######"), "dk_cpr": ("dk.cpr", "1#0#8#-####"), "ch_ahv": ("ch.ssn", "756.####.####.##"),
    "uk_nhs": ("gb.nhs", "### ### ####"), "in_aadhaar": ("in_.aadhaar", "#### #### ####"), "in_pan": ("in_.pan", "AAAPA####A"),
    "cn_id": ("cn.ric", "11010119#0010#####"), "kr_rrn": ("kr.rrn", "8#0#1#-1######"), "za_id": ("za.idnr", "8#0#1#####08#"),
    "tr_tckn": ("tr.tckimlik", "###########"), "au_tfn": ("au.tfn", "### ### ###"), "ca_sin": ("ca.sin", "### ### ###"),
    "ro_cnp": ("ro.cnp", "18#0#1#######"), "mx_curp": ("mx.curp", "AEAA8#0#1#HDFAAA0#"),
}  # fmt: skip
COUNTRIES = {"phone_us": "US", "phone_de": "DE", "phone_fr": "FR", "phone_gb": "GB", "phone_es": "ES", "phone_cn": "CN"}
OPEN = {"b64_secret", "hex_secret"}


def of(rng: random.Random, letters: str, size: int) -> str:
    return "".join(rng.choices(letters, k=size))


def shaped(rng: random.Random, shape: str) -> str:
    return "".join([rng.choice(DIGITS) if c == "#" else rng.choice(UPPER) if c == "A" else c for c in shape])


def number(rng: random.Random, module: str, shape: str) -> str:
    valid = import_module(f"stdnum.{module}").is_valid
    while not valid(made := shaped(rng, shape)) or len(set(made)) < 6:
        pass
    return made


def phone(rng: random.Random, region: str, style: int) -> str:
    code = phonenumbers.country_code_for_region(region)
    while True:
        parsed = phonenumbers.PhoneNumber(
            country_code=code, national_number=int(rng.choice("123456789") + of(rng, DIGITS, rng.choice((8, 9))))
        )
        told = phonenumbers.format_number(parsed, style)
        if phonenumbers.is_valid_number(parsed) and "555" not in told and len(set(told)) > 6:
            return told


def card(rng: random.Random, gap: str) -> str:
    digits = rng.choice(("4", "51", "55", "2221")) + of(rng, DIGITS, 15)
    whole = digits[:15] + luhn.calc_check_digit(digits[:15])
    return gap.join([whole[place : place + 4] for place in range(0, 16, 4)])


def iban(rng: random.Random, gap: str) -> str:
    country, size = rng.choice((("DE", 18), ("FR", 23), ("NL", 0), ("ES", 20), ("GB", 0), ("CH", 17)))
    rest = of(rng, UPPER, 4) + of(rng, DIGITS, 10 if country == "NL" else 14) if not size else of(rng, DIGITS, size)
    plain = "".join([str(int(c, 36)) for c in f"{rest}{country}00"])
    whole = f"{country}{98 - int(plain) % 97:02}{rest}"
    return gap.join([whole[place : place + 4] for place in range(0, len(whole), 4)]) if gap else whole


def made(kind: str, rng: random.Random) -> str:
    if kind in KEYS:
        start, letters, size = KEYS[kind]
        return start + of(rng, letters, size) + ("==" if kind == "azure_storage" else "")
    if kind in IDS:
        return number(rng, *IDS[kind])
    if kind in COUNTRIES:
        return phone(rng, COUNTRIES[kind], phonenumbers.PhoneNumberFormat.NATIONAL)
    return OTHERS[kind](rng)


def jwt(rng: random.Random) -> str:
    parts = (
        b'{"alg":"HS256","typ":"JWT"}',
        msgspec.json.encode({"sub": of(rng, ALNUM, 12), "exp": 1763712345}),
        rng.randbytes(32),
    )
    return ".".join([urlsafe_b64encode(part).decode().rstrip("=") for part in parts])


def pem(rng: random.Random, end: str) -> str:
    kind = rng.choice(("RSA ", "EC ", "", "OPENSSH "))
    lines = [of(rng, ALNUM + "+/", 64) for _ in range(rng.randint(3, 25))]
    return end.join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines, of(rng, ALNUM, 20) + "==", f"-----END {kind}PRIVATE KEY-----"])


DOMAINS = (".com", ".de", ".io", ".co.uk", ".fr")
WORLD = ("US", "DE", "FR", "GB", "IT", "JP", "BR")
OTHERS = {
    "uuid": lambda rng: "-".join([of(rng, HEX, size) for size in (8, 4, 4, 4, 12)]),
    "slack_token": lambda rng: f"xoxb-{of(rng, DIGITS, 12)}-{of(rng, DIGITS, 12)}-{of(rng, ALNUM, 24)}",
    "slack_webhook": lambda rng: f"hooks.slack.com/services/T{of(rng, UPPER, 8)}/B{of(rng, UPPER, 8)}/{of(rng, ALNUM, 24)}",
    "sendgrid_key": lambda rng: f"SG.{of(rng, WORD, 22)}.{of(rng, WORD, 43)}",
    "grafana_token": lambda rng: f"glsa_{of(rng, ALNUM, 32)}_{of(rng, HEX, 8)}",
    "telegram_token": lambda rng: f"{of(rng, '123456789', 10)}:AA{of(rng, WORD, 32)}{of(rng, ALNUM, 1)}",
    "basic": lambda rng: b64encode(f"{of(rng, LOWER, 6)}:{of(rng, ALNUM, 12)}".encode()).decode(),
    "password": lambda rng: "".join([of(rng, UPPER, 1), of(rng, LOWER, 5), of(rng, "!#$*+-_.", 1), of(rng, DIGITS, rng.randint(2, 4))]),
    "email": lambda rng: f"{of(rng, LOWER, 5)}{rng.choice('._+')}{of(rng, LOWER, 6)}@{of(rng, LOWER, 8)}{rng.choice(DOMAINS)}",
    "phone_intl": lambda rng: phone(rng, rng.choice(WORLD), phonenumbers.PhoneNumberFormat.INTERNATIONAL),
    "card": lambda rng: card(rng, ""), "card_spaced": lambda rng: card(rng, " "), "card_dashed": lambda rng: card(rng, "-"),
    "iban": lambda rng: iban(rng, ""), "iban_spaced": lambda rng: iban(rng, " "), "jwt": jwt, "pem": lambda rng: pem(rng, "\n"),
    "pem_escaped": lambda rng: pem(rng, "\\n"),
    "uk_nino": lambda rng: f"{rng.choice('ABCEHJLMP')}{rng.choice('ABCEHJLMP')} {shaped(rng, '## ## ##')} {rng.choice('ABCD')}",
}  # fmt: skip
PERSONAL = {"email", "phone_intl", "card", "card_spaced", "card_dashed", "iban", "iban_spaced", "uk_nino", *IDS, *COUNTRIES}
TAIL = {"slack_webhook", "telegram_token"}
"""Of whose values only what comes after a public beginning is secret."""


def filled(line: str, rng: random.Random) -> tuple[str, list[tuple[int, int, str]]]:
    """The text, and where its labelled values are, with what each is."""
    text, spans, place = "", [], 0
    line = line.replace("⏎", "\n")
    for gap in GAP.finditer(line):
        text += line[place : gap.start()]
        kind = gap[2] or gap[3]
        if gap[2] is not None and kind not in KEYS and kind not in IDS and kind not in COUNTRIES and kind not in OTHERS:
            text, place = text + gap[0], gap.end()
            continue
        value = made(kind, rng) if gap[2] else gap[4]
        if not gap[1]:
            spans.append((len(text), len(text) + len(value), kind))
        text, place = text + value, gap.end()
    return text + line[place:], spans


def measured(half: str, seeds: range = SEEDS) -> tuple[Counter[str], list[str]]:
    """Counts of `hit`, `missed` and `false`, of secret and personal; and the mistakes."""
    scanner = Scanner(ready([rule for rule in built_in() if rule.group != "network"]), (), REGIONS)
    counts: Counter[str] = Counter()
    mistakes: list[str] = []
    for seed in seeds:
        rng = random.Random(seed)
        for line in (HERE / f"{half}.txt").read_text("utf-8").splitlines():
            text, spans = filled(line, rng)
            found = [
                (len(text.encode()[: one.start].decode()), len(text.encode()[: one.end].decode()), one)
                for one in scanner.find(text.encode(), Budget(10**9))
            ]
            for start, end, kind in spans:
                group = "personal" if kind in PERSONAL else "secret"
                hit = any(
                    begin <= start + (end - start) * (kind in TAIL) * 0.6 and end <= stop and one.group == group
                    for begin, stop, one in found
                )
                counts[f"{group} {'hit' if hit else 'missed'}"] += 1
                mistakes += [] if hit else [f"missed {kind}: {text!r}"]
            for begin, stop, one in found:
                if not any(begin < end and start < stop for start, end, _ in spans):
                    counts[f"{one.group} false"] += 1
                    mistakes.append(f"false {one.rule}: {text[begin:stop]!r} in {text!r}")
    return counts, mistakes


def figures(counts: Counter[str], *groups: str) -> tuple[float, float]:
    """Precision and recall."""
    hit, missed, false = [sum(counts[f"{group} {what}"] for group in groups) for what in ("hit", "missed", "false")]
    return hit / (hit + false), hit / (hit + missed)


@pytest.mark.parametrize("half", ["dev", "test"])
def test_precision_and_recall_do_not_fall(half):
    counts, mistakes = measured(half)
    for groups in (("secret",), ("personal",), ("secret", "personal")):
        precision, recall = figures(counts, *groups)
        assert precision >= 0.97, "\n".join(mistakes)
        assert recall >= 0.95, "\n".join(mistakes)


def test_the_set_is_large_and_hard():
    for half in ("dev", "test"):
        lines = (HERE / f"{half}.txt").read_text("utf-8").splitlines()
        assert len(lines) >= 200
        assert sum(not filled(line, random.Random(1))[1] for line in lines) >= 80
    assert not set((HERE / "dev.txt").read_text().splitlines()) & set((HERE / "test.txt").read_text().splitlines())


if __name__ == "__main__":
    for name in sys.argv[1:]:
        totals, wrong = measured(name)
        print(name, dict(totals))
        for some in (("secret",), ("personal",), ("secret", "personal")):
            print(*some, "precision {:.3f} recall {:.3f}".format(*figures(totals, *some)))
        print("\n".join(wrong) if "-q" not in sys.argv else "")
