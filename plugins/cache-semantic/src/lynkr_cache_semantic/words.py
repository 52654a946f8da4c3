"""The English words that the guard knows. Every other word, of whatever language, has to agree."""

from __future__ import annotations

import re

SHORT_FORMS = {
    "don't": "do not", "doesn't": "does not", "didn't": "did not", "isn't": "is not", "aren't": "are not", "wasn't": "was not",
    "weren't": "were not", "can't": "can not", "cannot": "can not", "couldn't": "could not", "won't": "will not",
    "wouldn't": "would not", "shouldn't": "should not", "mustn't": "must not", "hasn't": "has not", "haven't": "have not",
    "hadn't": "had not", "what's": "what is", "where's": "where is", "who's": "who is", "how's": "how is", "when's": "when is",
    "that's": "that is", "it's": "it is", "there's": "there is", "i'm": "i am", "i'd": "i would", "i've": "i have", "i'll": "i will",
    "you're": "you are", "we're": "we are", "they're": "they are", "let's": "let us",
}  # fmt: skip
CONTRACTIONS = re.compile(r"\b(?:" + "|".join(map(re.escape, SHORT_FORMS)) + r")\b", re.IGNORECASE)
PHRASES = [
    (re.compile(r"\ba (few|little)\b", re.IGNORECASE), r"some-\1"),
    (re.compile(r"\b(?:are there|is there|there are|there is)\b", re.IGNORECASE), "is"),
]
"""Words that mean something else together."""
_ASKS = r"(?:what|who|whom|whose|when|where|why|how|which|whether|if)"
_VERBS = (
    r"(?:tell|explain|describe|show|give|list|write|name|translate|summari[sz]e|convert|create|make|generate|compare|find|calculate|"
    r"suggest|recommend|define|provide|outline|reverse)"
)
_POLITE = (
    r"^\W*(?:(?:hi|hello|hey|thanks|thank you|ok|okay|so|well|quick question)\b(?: there\b| all\b)?\s*[,!.]+\s*)+",
    r"[,.!?]\s*(?:please|thanks|thank you|thanks in advance)\s*[!.?]*$",
    r"^\W*(?:please|kindly),?\s+(?=\w)",
    rf"^\W*(?:can|could|would|will) you (?:please |kindly )?(?={_VERBS}\b)",
    rf"^\W*i (?:(?:would|am) )?(?:like|want|need|trying) to (?:know|find out|understand|learn)\b(?= {_ASKS}\b)",
    rf"^\W*(?:i am|i was) (?:curious|wondering)(?:,|(?= {_ASKS}\b))",
    rf"^\W*(?:do you (?:happen to )?know|any idea)\b(?= {_ASKS}\b)",
    rf"^\W*(?:please )?(?:tell me|let me know)(?:,|\b(?= {_ASKS}\b))",
)
_ON_WORDS = (
    r":\s+\S",
    r"\b(?:(?:mis)?spell|translat|transliterat|rephras|paraphras|rewrit|reword|proofread|pronounc|pronunciation|punctuat|conjugat|capitali[sz])",
    r"\b(?:gramma|synonym|antonym|rhym|anagram|palindrom|acronym|syllab|vowel|consonant|etymolog|hyphen|plural|singular|homophon)",
    r"\b(?:word|phrase|sentence|letter|term|expression|saying|name)s? (?:for|of|in|is|are)\b",
    r"\bthe (?:word|phrase|sentence|letter|term|expression|saying)s? \w",
    r"\bhow (?:do|does|did|would|can|could|should|to) (?:you |i |we |one |they |people )?say\b",
    r"\bwhat (?:does|do|did)\b.*\bmean\b",
    r"\bmeaning of\b",
)
_KINDS = {
    "how": (r"^\W*how (?:to|(?:do|can|could) (?:i|we|one))\b", r"^\W*what is (?:the|a) way (?:to|of)\b"),
    "explain": (r"^\W*(?:explain|describe)\b(?! how| why| what)", r"^\W*tell me about\b"),
    "what": (r"^\W*what (?:is|are)\b", r"^\W*tell me (?=the\b)", r"^\W*define\b"),
}
POLITE = [re.compile(pattern, re.IGNORECASE) for pattern in _POLITE]
"""Beginnings and ends that say nothing of what is asked; each may be there."""
ON_WORDS = re.compile("|".join(_ON_WORDS), re.IGNORECASE | re.DOTALL)
"""Signs of a question on words themselves, to which an article, a plural or another word of the same meaning has another answer."""
KINDS = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, patterns in _KINDS.items() for pattern in patterns]
"""Beginnings that say what kind of question it is; the first that is found counts."""
DROPPED = frozenset({"a", "an", "the", "do", "does", "am", "is", "are"})
"""Articles, and verbs that change places between a question and the same question in a sentence."""
_COUNTED = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety hundred"
NUMBERS = {
    **{word: str(value) for value, word in enumerate(_COUNTED.split())},
    **{word: str(value * 10) for value, word in enumerate(_TENS.split(), 2)},
    "thousand": "1000",
    "million": "1000000",
}
HOMOGRAPHS = frozenset({
    "polish", "turkey", "china", "march", "may", "august", "nice", "reading", "job", "mobile", "go", "rust", "swift", "ruby", "spark",
    "bath", "cork", "orange", "apple", "amazon", "meta", "windows", "word", "excel", "access", "java", "dart", "crystal", "julia",
    "elm", "opera", "edge", "safari", "slack", "teams", "oracle", "shell", "signal", "will", "mark", "bill", "rose", "frank", "jack",
    "pat", "sue", "drew", "grace", "hope", "joy", "chad", "georgia", "jordan", "guinea", "mercury", "mars", "pluto", "earth", "sun",
})  # fmt: skip
"""Names that are other words in small letters."""
PLURALS = {
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "mice": "mouse",
    "feet": "foot",
    "teeth": "tooth",
}
_GROUPS = (
    "fix repair", "create make build", "remove delete erase", "begin start commence", "buy purchase", "big large", "small little",
    "fast quick rapid", "quickly rapidly", "car automobile", "movie film", "doctor physician", "show display", "find locate",
    "use utilize utilise", "check verify", "choose select pick", "often frequently",
    "difference distinction", "write compose", "list enumerate", "benefit advantage", "drawback disadvantage downside",
    "change modify alter", "biggest largest", "fastest quickest", "happen occur", "need require",
    "kid child", "photo photograph", "summarize summarise", "picture image", "color colour", "favorite favourite", "tv television",
    "phone telephone", "bike bicycle", "fridge refrigerator", "ad advertisement", "info information", "app application",
    "concerning regarding", "hard difficult", "easy simple",
    "rich wealthy", "sick ill", "scared afraid", "quiet silent", "wrong incorrect", "shut close",
    "end finish", "whole entire", "maybe perhaps", "gift present",
    )  # fmt: skip
SAME = {word: group.split()[0] for group in _GROUPS for word in group.split()} | {"vs": "versus"}
"""Words that may stand for each other."""
