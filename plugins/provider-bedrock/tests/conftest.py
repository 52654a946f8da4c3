"""botocore's own description of Bedrock, as the judge of what is sent and read."""

from __future__ import annotations

import base64
import re
from typing import Any

import msgspec
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

MODEL = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")


class Lint:
    """Fails for a request body that botocore would not have sent, or that breaks what it knows and does not check."""

    def __call__(self, fields: Any, model: str = "anthropic.claude-opus-4-8") -> dict[str, Any]:
        body = msgspec.json.decode(msgspec.json.encode(fields))
        shape = MODEL.operation_model("Converse").input_shape
        report = ParamValidator().validate({**self.read(body, shape, "$"), "modelId": model}, shape)
        assert not report.has_errors(), report.generate_report()
        self.check_conversation(body)
        return body

    def read(self, value: Any, shape: Shape, path: str) -> Any:
        """The body as a caller of botocore would have written it, with bytes for base64."""
        if getattr(shape, "is_document_type", False):
            return value
        if shape.type_name == "structure":
            assert not shape.metadata.get("union") or len(value) == 1, f"{path}: {value}"
            return {key: self.read(item, shape.members[key], f"{path}.{key}") for key, item in value.items()}
        if shape.type_name == "list":
            assert len(value) <= shape.metadata.get("max", len(value)), path
            return [self.read(item, shape.member, f"{path}[{index}]") for index, item in enumerate(value)]
        if shape.type_name == "map":
            assert len(value) <= shape.metadata.get("max", len(value)), path
            return {key: self.read(item, shape.value, f"{path}.{key}") for key, item in value.items()}
        if shape.type_name == "string":
            self.check_text(value, shape, path)
        return base64.b64decode(value, validate=True) if shape.type_name == "blob" else value

    def check_text(self, value: str, shape: Any, path: str) -> None:
        pattern = shape.metadata.get("pattern")
        assert not shape.enum or value in shape.enum, f"{path}: {value}"
        assert len(value) <= shape.metadata.get("max", len(value)), path
        assert pattern is None or re.fullmatch(pattern, value), f"{path}: {value!r}"

    def check_conversation(self, body: dict[str, Any]) -> None:
        """The rules of the API reference that the shapes do not tell."""
        turns = body["messages"]
        assert [turn["role"] for turn in turns] == ["user" if n % 2 == 0 else "assistant" for n in range(len(turns))]
        waiting: list[str] = []
        for turn in turns:
            blocks = turn["content"]
            assert blocks
            assert all(block["text"].strip() for block in blocks if "text" in block)
            assert [b["toolResult"]["toolUseId"] for b in blocks if "toolResult" in b] == waiting
            assert [("toolResult" in b) for b in blocks if "cachePoint" not in b] == [True] * len(waiting) + [False] * (
                sum("cachePoint" not in b for b in blocks) - len(waiting)
            )
            assert not any("document" in b for b in blocks) or any("text" in b for b in blocks)
            waiting = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
        assert "toolConfig" in body or not any("toolUse" in block for turn in turns for block in turn["content"])


@pytest.fixture(scope="session")
def lint() -> Lint:
    return Lint()


@pytest.fixture(scope="session")
def service() -> ServiceModel:
    return MODEL
