"""webhook: a sink plugin for lynkr."""

import logging

from lynkr_core import Exchange, Outcome, Plugin
from lynkr_core.plugins import NoConfig

log = logging.getLogger("lynkr_sink_webhook")


class WebhookSink:
    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        served = outcome.candidate.id if outcome.candidate else "nobody"
        log.info("%s: %s from %s after %.2f s", exchange.id, outcome.status, served, outcome.duration)


plugin = Plugin(api=1, config=NoConfig, create=WebhookSink)
