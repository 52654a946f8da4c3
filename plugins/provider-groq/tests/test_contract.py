from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.canned import Fault, Script, encoded
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_groq import plugin

# hand-made from Groq's documentation of errors and of flex processing
LARGE = {
    "error": {"message": "Request too large for model `x`: please reduce your message size.", "type": "tokens", "code": None}
}
LONG = {"error": {"message": "Please reduce the length of the messages or completion.", "type": "invalid_request_error"}}
FULL = {"error": {"message": "Flex tier capacity exceeded.", "type": "capacity_exceeded", "code": "capacity_exceeded"}}
FAULTS = {
    "413": Fault("context", Script(status=413, body=encoded(LARGE))),
    "context": Fault("context", Script(status=400, body=encoded(LONG))),
    "529": Fault("overloaded", Script(status=498, body=encoded(FULL))),
}


class TestContract(ProviderContract):
    plugin = plugin
    base_path = "/openai/v1"
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {"openai.chat": FAULTS}
    paths: ClassVar[Mapping[str, str]] = {"openai.chat": "/chat/completions", "openai.responses": "/responses"}


class TestTooLarge(TestContract):
    """The same with a 413 for a prompt over the window."""

    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {"openai.chat": {"context": FAULTS["413"]}}
