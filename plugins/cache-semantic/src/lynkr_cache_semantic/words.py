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
_POLITE = (
    r"^\W*(?:(?:hi|hello|hey|thanks|thank you|ok|okay|please|kindly|so|well|quick question)\b(?: there\b| all\b)?[\s,!.:-]*)+",
    r"[\s,]*\b(?:please|thanks|thank you|thanks in advance)\b[\s!.]*$",
    r"^\W*(?:can|could|would|will) you (?:please |kindly )?(?:help me (?:to )?)?(?=(?:tell|explain|describe|show|give|list|write|name|"
    r"translate|summari[sz]e|convert|create|make|generate|compare|find|calculate|suggest|recommend|define|provide|outline)\b)",
    r"^\W*i (?:(?:would|am) )?(?:like|want|need|trying|looking) (?:you )?to (?:know|find out|understand|learn)\b(?: (?:about|that)\b)?",
    r"^\W*(?:i am|i was) (?:curious|wondering)(?: about)?\b",
    r"^\W*(?:do you (?:happen to )?know|any idea|can you tell me|could you tell me|tell me|please tell me|let me know)\b(?! about| the\b| an?\b)",
)
_KINDS = {
    "how": (
        r"^\W*(?:show me |explain (?:to me )?|describe )?how (?:to|(?:do|can|could|would|should|might) (?:i|you|we|one|somebody|someone)"
        r"|(?:i|you|we|one) (?:do|can|could|would|should|might))\b(?: go about)?",
        r"^\W*(?:what is|what are) (?:the|a|some) ways? (?:to|of|for)\b",
        r"^\W*i (?:would like|want|need) to\b(?= \w+)",
        r"^\W*in what way (?:do|can|could|should) (?:i|you|we|one)\b",
    ),
    "explain": (
        r"^\W*(?:explain|describe)(?: to me)?\b(?! how| why| what)",
        r"^\W*(?:tell me|give me (?:an|some)? ?(?:explanation|overview|information)|an explanation)\s+(?:about|of|on)\b",
    ),
    "what": (r"^\W*what (?:is|are)\b", r"^\W*tell me (?=the\b|an?\b)", r"^\W*(?:define|give me the definition of)\b"),
}
FRAMES = [
    *[("", re.compile(pattern, re.IGNORECASE)) for pattern in _POLITE],
    *[(kind, re.compile(pattern, re.IGNORECASE)) for kind, patterns in _KINDS.items() for pattern in patterns],
]
"""Beginnings and ends that say how, not what, is asked; the first kind that is found counts."""
DROPPED = frozenset({"a", "an", "the", "please", "kindly", "just", "exactly", "do", "does", "am", "is", "are", "be", "there", "my", "our"})
MODALS = {
    "can": "can", "could": "can", "will": "will", "would": "would", "shall": "will", "should": "should", "must": "must", "may": "may",
    "might": "may", "did": "past", "was": "past", "were": "past", "been": "been", "had": "had", "have": "have", "has": "have",
    "being": "being",
}  # fmt: skip
BINDING = {
    word: word
    for word in (
        "to", "from", "into", "onto", "before", "after", "over", "under", "above", "below", "between", "through", "with", "without",
        "by", "for", "of", "on", "off", "in", "inside", "outside", "at", "than", "as", "since", "until", "during", "against", "toward",
        "via", "per", "near", "behind", "across", "versus", "upon", "within", "if", "when", "while", "because", "unless", "except",
        "instead", "so", "out", "up", "down", "about", "like", "beyond", "around", "along",
    )
} | {"vs": "versus", "using": "with", "towards": "toward", "till": "until"}  # fmt: skip
NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
        "nineteen twenty".split()
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100",
     "thousand": "1000", "million": "1000000"}  # fmt: skip
HOMOGRAPHS = frozenset({
    "polish", "turkey", "china", "march", "may", "august", "nice", "reading", "job", "mobile", "go", "rust", "swift", "ruby", "spark",
    "bath", "cork", "orange", "apple", "amazon", "meta", "windows", "word", "excel", "access", "java", "dart", "crystal", "julia",
    "elm", "opera", "edge", "safari", "slack", "teams", "oracle", "shell", "signal", "will", "mark", "bill", "rose", "frank", "jack",
    "pat", "sue", "drew", "grace", "hope", "joy", "chad", "georgia", "jordan", "guinea", "mercury", "mars", "pluto", "earth", "sun",
})  # fmt: skip
"""Names that are other words in small letters."""
PLURALS = {"people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse", "feet": "foot", "teeth": "tooth"}
_GROUPS = (
    "fix repair", "create make build", "remove delete erase", "begin start commence", "buy purchase", "big large", "small little",
    "fast quick rapid", "quickly rapidly", "car automobile", "movie film", "doctor physician", "show display", "find locate",
    "use utilize utilise", "check verify", "choose select pick", "often frequently", "main primary principal",
    "difference distinction", "write compose", "list enumerate", "benefit advantage", "drawback disadvantage downside",
    "method approach technique", "change modify alter", "biggest largest", "fastest quickest", "happen occur", "need require",
    "kid child", "photo photograph", "summarize summarise", "picture image", "color colour", "favorite favourite", "tv television",
    "phone telephone", "bike bicycle", "fridge refrigerator", "ad advertisement", "info information", "app application",
    "concerning regarding", "reason cause", "smart intelligent", "hard difficult", "easy simple",
    "rich wealthy", "sick ill", "scared afraid", "quiet silent", "wrong incorrect", "shut close",
    "answer reply", "ask inquire", "end finish", "whole entire", "maybe perhaps", "mistake error", "gift present",
    "boil boiling", "cook cooking", "sort sorting", "learn learning", "install installing", "clean cleaning",
)  # fmt: skip
SAME = {word: group.split()[0] for group in _GROUPS for word in group.split()}
"""Words that may stand for each other."""
