"""Sends each kind of task to the model that is named for it, with its fallbacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct, structs

from lynkr_core.exchange import Candidate, Exchange, Selection
from lynkr_core.plugins import Context, Plugin
from lynkr_selector_tasks.ask import ask_of
from lynkr_selector_tasks.choice import Choices
from lynkr_selector_tasks.classify import TASKS, classify

__all__ = ["TASKS", "Choices", "Config", "TaskSelector", "ask_of", "classify", "plugin", "task_of"]

Targets = str | list[str]
TASK_HEADER = b"x-lynkr-task"


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.tasks]`: each a `provider/model`, a provider, a tier or a name in `[models]`, or a list of them, tried in order."""

    strategy: Annotated[Targets, Meta(description="Plans, priorities, positioning.")] = []
    analysis: Annotated[Targets, Meta(description="Comparisons, evaluations, summaries, statistics.")] = []
    content: Annotated[Targets, Meta(description="Texts to be written or rewritten: mails, articles, poems.")] = []
    code: Annotated[Targets, Meta(description="Everything about programs.")] = []
    skills: Annotated[Targets, Meta(description="Things to be done with tools: run, send, book, install, `/commands`.")] = []
    queries: Annotated[Targets, Meta(description="Plain questions.")] = []
    translation: Annotated[Targets, Meta(description="From one language into another.")] = []


class TaskSelector:
    """Orders `auto` requests of tasks that have a model; says nothing about others."""

    def __init__(self, config: Config, context: Context) -> None:
        listed = {task: [to] if isinstance(to, str) else to for task, to in structs.asdict(config).items()}
        self.models: dict[str, tuple[str, ...]] = {task: tuple(names) for task, names in listed.items() if names}
        self.targets = tuple(dict.fromkeys(name for names in self.models.values() for name in names))
        self.choices = Choices(context.tiers)

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        if exchange.route != "auto":
            return None
        task = task_of(exchange)
        names = self.models.get(task or "")
        found = self.choices.of(names, tuple(candidates), f"task {task}") if names and task else None
        return structs.replace(found, notes={"task": task}) if found else None


def task_of(exchange: Exchange) -> str | None:
    """What the caller says in `x-lynkr-task`, if it is one of `TASKS`; else what the last ask looks like, or None."""
    said = exchange.header(TASK_HEADER).strip().lower()
    return said if said in TASKS else classify(ask_of(exchange))


plugin = Plugin(api=1, config=Config, create=TaskSelector, rank=1)
