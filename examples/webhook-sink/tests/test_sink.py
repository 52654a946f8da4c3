from lynkr_core.testing import factories
from lynkr_core.testing.contracts.sink import SinkContract
from lynkr_sink_webhook import plugin


class TestWebhookSink(SinkContract):
    plugin = plugin


def test_a_line_is_written_for_each_request(caplog):
    caplog.set_level("INFO", "lynkr_sink_webhook")
    exchange = factories.exchange({"model": "auto", "messages": [{"role": "user", "content": "hi"}]})
    sink = factories.build(plugin, {}, factories.context())
    sink.post_response(exchange, factories.outcome(chosen=factories.candidate("local/llama")))
    assert caplog.messages == [f"{exchange.id}: ok from local/llama after 0.25 s"]
