"""Hugging Face's router to many hosts: chat completions."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from lynkr_core.plugins import Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the router is.")] = "https://router.huggingface.co/v1"


class HuggingFace(HTTPProvider):
    """The router. Models are `org/name`, with `:fastest`, `:cheapest` or a host's name behind it to choose the host."""

    vendor = "huggingface"
    paths = {"openai.chat": "/chat/completions"}


plugin = Plugin(api=1, config=Config, create=HuggingFace)
