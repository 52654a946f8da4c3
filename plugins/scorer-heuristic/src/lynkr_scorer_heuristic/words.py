"""What the signals and gates listen for, in English, Russian, German, Spanish and Chinese. Data; the signals' own is in `vocabulary.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files

from msgspec import Struct, convert


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GREETING = words(
    """
    hi hello hey hiya yo thanks thank thx ty cheers ok okay k yes yep yeah yup no nope sure great cool nice perfect awesome
    good continue proceed go lgtm done welcome bye goodbye morning ping test
    привет здравствуйте здравствуй спасибо ок окей да нет хорошо отлично понятно понял поняла супер продолжай продолжайте пока
    добрый
    hallo moin servus danke dankeschön ja nein gut super prima klasse weiter tschüss guten hola gracias vale sí si no claro
    perfecto genial bueno buenos buenas continúa sigue adiós
    """
)
"""At least one of these makes small talk, if nothing but small talk stands beside it."""
SMALL_TALK = GREETING | words(
    """
    there again you very much so a lot that this it is was works worked fine well everyone all for the your help do day
    evening afternoon please go on ahead now and i m am just what s up how are doing got looks sounds
    день вечер утро доброе большое вам тебе тебя всё все вас как дела работает очень помощь за заработало
    tag morgen abend schön vielen dank sehr das hat funktioniert geklappt wie geht es dir ihnen s bitte mach días tardes
    noches muchas muchísimas qué que tal por favor eso funcionó funciona cómo estás está todo bien te adelante
    """
)
POLITE = SMALL_TALK | words(
    """
    hope could would can will want need like me with following advance really appreciate kindly best regards wondering if able
    love to thanking dear sir madam team question my here have one let know in advance
    можешь можете помоги помогите мне пожалуйста заранее с этим
    kannst könntest können könnten mir helfen im voraus bei folgendem puedes podrías podría ayudarme con esto de antemano
    """
)
"""A sentence of only these at either end says nothing of the task."""
LEAD = words(
    """
    please can could would will you kindly hi hey hello help me just so ok okay now also to i want need d like and then let s
    us
    пожалуйста можешь можете привет помоги помогите мне ну давай
    bitte kannst könntest du mir hallo por favor puedes podrías hola me y ahora
    """
)
"""Words before the verb or the question word."""

PROOF = words("prove disprove derive докажи докажите выведи выведите beweise beweisen demuestra deriva")
"""Imperatives of proof; which are meant as such, a gate's pattern tells."""
SIDE = words(
    """
    title commit suggestion suggest generate tags paths filepaths summary summarize summarise quota
    titel überschrift título название заголовок
    """
)
"""Without one of these at its beginning no request is a coding tool's own."""

LOOK_UP = words(
    """
    who whom whose what which when where whats define
    кто что какой какая какое какие где когда сколько
    wer was welche welcher welches wann wo wieviel quién quien qué que cuál cual cuándo cuando dónde donde cuánto cuánta
    cuántos cuántas
    """
)
WHO = words("who whose кто чей wer wessen quién quien")
"""Whoever asks for a person wants a name, whatever that person has proved or designed."""
LOOK_UP_PHRASES = (
    "how many", "how much", "how old", "how tall", "how far", "how long", "how do you say", "is it", "is there", "does it",
    "wie viel", "wie viele", "wie heißt", "wie hoch", "wie alt", "cómo se dice", "cómo se llama", "как называется", "как зовут",
    "in one word", "in two words", "is this", "are there", "одним словом", "in einem wort", "en una palabra",
)  # fmt: skip
ONE_STEP = words(
    """
    rename open show list print convert translate sort count capitalize uppercase lowercase run say reply spell format extract
    correct bump delete remove classify repeat read tell
    переименуй открой покажи переведи перечисли посчитай скажи исправь
    übersetze zeige öffne zähle nenne sag liste korrigiere traduce muestra abre cuenta di lista renombra corrige
    """
)
ONE_STEP_PHRASES = ("fix the typo", "fix typo", "fix a typo", "put these", "put the", "what does it say", "add a comment")
OTHER_TASK = words(
    """
    why explain prove derive design implement refactor debug migrate analyze analyse investigate build
    почему объясни докажи спроектируй реализуй
    warum erkläre beweise entwirf implementiere explica explícame demuestra diseña implementa
    """
)
"""With one of these a request is no look-up and no single step, however short."""

DOMAIN = words(
    """
    contract clause clauses liability law legal court statute tenant plaintiff patient dose dosage diagnosis symptoms drug antibiotics
    surgery tax audit revenue portfolio hedge inflation valuation equation integer integers matrix polynomial theorem integral
    derivative probability vector graph prime primes set sequence converges gradient eigenvalue modulo
    договор закон суд иск пациент диагноз доза налог выручка уравнение матрица вероятность простых последовательность
    vertrag klausel klauseln gesetz gericht patient dosis diagnose steuer umsatz gleichung matrix wahrscheinlichkeit folge
    contrato cláusula cláusulas ley tribunal paciente dosis impuesto ingresos ecuación matriz probabilidad sucesión
    """
)
"""Words of fields in which mistakes are dear or reasoning is long."""
POINTING = words(
    """
    it this that these those them they he she one ones other same thing things stuff something there here again
    это этот эта эти то тот там тут его её их он она оно опять
    das dies diese dieses es ihn sie dort hier wieder eso esto esta este ese esa lo ahí aquí otra otro
    """
)
"""Words that mean what was said before."""


class Vocabulary(Struct, forbid_unknown_fields=True):
    """What speaks for one signal."""

    words: str = ""
    phrases: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()


VOCABULARY = convert(tomllib.loads(files(__package__).joinpath("vocabulary.toml").read_text("utf-8")), dict[str, Vocabulary])
KNOWN: Mapping[str, str] = {word: signal for signal, heard in VOCABULARY.items() for word in heard.words.split()}
"""Each word's signal; one word speaks for one signal."""
SPOKEN: Mapping[str, str] = {phrase: signal for signal, heard in VOCABULARY.items() for phrase in heard.phrases}
STARTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    start: tuple([(f" {phrase} ", signal) for phrase, signal in SPOKEN.items() if phrase.split()[0] == start])
    for start in {phrase.split()[0] for phrase in SPOKEN}
}
"""The phrases, between blanks, by their first word, each with its signal."""
LISTENED: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    word: (KNOWN.get(word, ""), STARTS.get(word, ())) for word in frozenset(KNOWN) | frozenset(STARTS)
}
"""All that is listened for: each word's signal, if it has one alone, and the phrases it may begin."""
CHINESE_SIGNAL: Mapping[str, str] = {term: signal for signal, heard in VOCABULARY.items() for term in heard.terms}

TOKEN = re.compile(r"[\w%]+|[.!?…。！？\n,;，、；]")
ENDS = frozenset(".!?…。！？\n,;，、；")
"""What ends a sentence or a clause."""
HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
CHINESE_TERM = re.compile("|".join(sorted(CHINESE_SIGNAL, key=len, reverse=True)))
