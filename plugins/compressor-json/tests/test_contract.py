from lynkr_compressor_json import expanded, plugin
from lynkr_core.request import Request
from lynkr_core.testing.contracts.compressor import CompressorContract, tidy


class TestContract(CompressorContract):
    plugin = plugin

    def expand(self, request: Request) -> Request:
        return request

    def same(self, before: str, after: str) -> bool:
        if tidy(before) == tidy(after):
            return True
        own = expanded(before)
        return own is not None and own == expanded(after)
