"""GitHub Models: chat completions and embeddings."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from msgspec import Meta

from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the service is, without `/inference`.")] = "https://models.github.ai"
    organization: Annotated[str | None, Meta(description="The organization that is billed, instead of the token's owner.")] = None


class GitHubModels(HTTPProvider):
    """The service at models.github.ai. Models are `publisher/name`; the key is a token with `models:read`."""

    vendor = "github"
    models_path = "/catalog/models"

    def __init__(self, config: Config, context: Context) -> None:
        root = f"/orgs/{quote(config.organization, safe='')}/inference" if config.organization else "/inference"
        self.paths = {"openai.chat": root + "/chat/completions", "openai.embeddings": root + "/embeddings"}
        super().__init__(config, context)


plugin = Plugin(api=1, config=Config, create=GitHubModels)
