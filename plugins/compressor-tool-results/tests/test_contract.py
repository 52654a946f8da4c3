from lynkr_compressor_tool_results import plugin
from lynkr_compressor_tool_results.expansion import expand
from lynkr_core.request import Request
from lynkr_core.testing.contracts.compressor import CompressorContract


class TestContract(CompressorContract):
    plugin = plugin

    def expand(self, request: Request) -> Request:
        return expand(request, self.context.tokens.count)
