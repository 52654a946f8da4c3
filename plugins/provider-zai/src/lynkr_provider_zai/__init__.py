"""Z.ai: GLM through chat, Anthropic's Messages and embeddings, on the API or the coding plan."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, structs

from lynkr_core.dialect import Dialect, Headers
from lynkr_core.dialects.openai_chat.quirks import ANY, ChatProvider, Instead, Messages, Quirks, Thinking, refused
from lynkr_core.errors import Kind, UpstreamError
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig

ON, OFF = {"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}
CODES: dict[str, Kind] = {
    "1000": "auth", "1001": "auth", "1002": "auth", "1003": "auth", "1004": "auth", "1110": "auth", "1111": "auth", "1112": "auth",
    "1113": "quota", "1121": "auth", "1210": "invalid", "1211": "not_found", "1212": "not_found", "1213": "invalid", "1214": "invalid",
    "1220": "auth", "1222": "not_found", "1230": "server", "1234": "server", "1261": "context", "1301": "content",
    "1302": "rate_limited", "1303": "rate_limited", "1304": "quota", "1305": "overloaded", "1308": "quota", "1309": "quota",
    "1310": "quota", "500": "server",
}  # fmt: skip
"""Business codes (Z.ai API reference, Error Codes), which say more than the status: 429 is an empty account too."""


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is; in China `https://open.bigmodel.cn`.")] = "https://api.z.ai"
    plan: Annotated[Literal["api", "coding"], Meta(description="What the key is of: pay as you go, or the coding plan.")] = "api"
    codes: Annotated[dict[str, Kind], Meta(description="More business codes and the kinds of errors they are.")] = {}
    schema_models: Annotated[tuple[str, ...], Meta(description="How the names begin of models that hold to a JSON schema.")] = ()
    effort_models: Annotated[tuple[str, ...], Meta(description="How the names begin of models that take `reasoning_effort`.")] = (
        "glm-5.2",
    )


CHAT = Quirks(
    rename={"max_completion_tokens": "max_tokens", "user": "user_id"},
    values={"reasoning_effort": {"none": Instead(OFF), ANY: Instead(ON, "the model thinks or does not")}},
    most={"temperature": 1, "top_p": 1},
    drop=refused("Z.ai has no such parameter", "n", "logit_bias", "service_tier", "store", "metadata", "prompt_cache_key"),
    schema_in_prompt=True,
    messages=Messages(roles={"developer": "system"}, thinking=Thinking()),
)


class ZAI(ChatProvider):
    """The API at api.z.ai."""

    vendor = "zai"
    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}

    def __init__(self, config: Config, context: Context) -> None:
        root = "/api/paas/v4" if config.plan == "api" else "/api/coding/paas/v4"
        self.paths = {"openai.chat": f"{root}/chat/completions", "anthropic.messages": "/api/anthropic/v1/messages"}
        self.paths |= {"openai.embeddings": f"{root}/embeddings"}
        self.models_path = f"{root}/models"
        super().__init__(config, context)
        self._codes = CODES | config.codes
        self._schema, self._effort = config.schema_models, config.effort_models

    def quirks_of(self, model: str) -> Quirks:
        quirks = structs.replace(CHAT, schema_in_prompt=False) if self._schema and model.startswith(self._schema) else CHAT
        if self._effort and model.startswith(self._effort):
            return structs.replace(quirks, values={})
        return quirks

    def classify(self, dialect: Dialect, status: int, headers: Headers, body: bytes) -> UpstreamError:
        error = super().classify(dialect, status, headers, body)
        error.kind = self._codes.get(error.code or "", error.kind)
        return error


plugin = Plugin(api=1, config=Config, create=ZAI)
