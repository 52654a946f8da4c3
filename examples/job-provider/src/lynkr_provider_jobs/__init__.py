"""jobs: a provider plugin for lynkr."""

from typing import Annotated

from msgspec import Meta

from lynkr_core import HTTPConfig, HTTPProvider, Plugin


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where it listens, with `/v1`.")] = "http://127.0.0.1:8000/v1"


class JobsProvider(HTTPProvider):
    """Speaks OpenAI's chat API; `auth` and `adapt` are there to be overridden where it differs."""

    paths = {"openai.chat": "/chat/completions"}


plugin = Plugin(api=1, config=Config, create=JobsProvider)
