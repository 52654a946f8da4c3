"""What stands where a secret would: values of manuals, words of templates, code; and words that say that one follows, or that none does."""

from __future__ import annotations

from lynkr_policy_guardrails.engine import compiled

UUID = compiled(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HEX = compiled(r"(?i)(?:0x)?[0-9a-f]+")
STANDS_FOR = compiled(
    r"(?i)example|your[_\-. ]?|change[_\-]?(?:me|it)|replace|placeholder|redacted|dummy|sample|insert|xxxx|\*\*\*|\.\.\.|0{8}"
    r"|12345678|abcdefg|foobar|hunter2?\z|test_?(?:key|token|secret|password)|fake|todo|<[a-z_ ]+>|masked_|\$\{|\$\(|\{\{|%\(|not[_\-]?set"
)
"""In a value that documentation, a template or a mask has put where a secret would be."""
WORDS = compiled(
    r"(?i)(?:pass(?:word|wd|phrase)?|pwd|secret|token|user(?:name)?|admin|root|guest|postgres|mysql|redis|none|null|true|false|nil|undefined"
    r"|string|required|optional|empty|hidden|unknown|missing|invalid|incorrect|wrong|expired|protected|forgotten|prompt|stdin|passwor[dt]s?"
    r"|must|should|reset|policy|field|input|value|here|below|above|again|too|not|has|was|been|please|correct|strong|weak|different)[.!?:)]*"
)
"""What stands after `password:` where it is no password."""
CODE = compiled(r"(?:[A-Za-z_][\w.]*)?[(\[{]|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\z|[$%@&][A-Za-z_{(]|\.{0,2}/|~/|[a-z]+://")
"""How a value begins that is an expression, a variable or a path."""
KEYS = compiled(
    r"(?i)(?:api|secret|access|client|app|application|shared|signing|webhook|consumer|master|root|jwt|session|hmac|service|auth|private"
    r"|encryption|account|subscription|licen[sc]e|write|admin|deploy|ssh|gpg|aes|vault|storage|project|integration|stripe|openai|aws)"
    r"[_\- ]?\z"
)
"""Before `key`, which says nothing alone."""
HARMLESS = compiled(
    r"(?i)(?:next|page|continuation|pagination|continue|cancell?ation|sync|cursor|eos|bos|pad|unk|mask|sep|cls|public|primary|foreign|cache"
    r"|idempotency|partition|sort|row|object|translation|i18n|publishable|pub|anon|site|design|stop|max|min|input|output|prompt|total"
    r"|first|last|count|number|num|id|start|end|invalidation|change)[_\-. ]?\z"
)
SAMPLES = frozenset({
    b"AKIAIOSFODNN7EXAMPLE", b"4111111111111111", b"4242424242424242", b"5555555555554444", b"378282246310005", b"4012888888881881",
    b"6011111111111117", b"5105105105105100", b"4000056655665556", b"2223003122003222", b"30569309025904", b"3530111333300000",
    b"4000000000000002", b"5200828282828210", b"371449635398431", b"3566002020360505", b"DE89370400440532013000",
    b"GB82WEST12345698765432", b"GB29NWBK60161331926819", b"FR1420041010050500013M02606", b"NL91ABNA0417164300", b"CH9300762011623852957",
    b"ES9121000418450200051332", b"IT60X0542811101000000123456", b"BE68539007547034", b"078051120", b"219099999", b"123456789", b"00000000T",
    b"12345678Z", b"X1234567L", b"RSSMRA85T10A562S", b"7569217076985", b"QQ123456C", b"AB123456C", b"987654321", b"9434765919",
    b"9434765870",
})  # fmt: skip
"""Values of manuals and test systems, which are nobody's; without separators."""
