from pathlib import Path

from lynkr_core.testing.contracts.package import PackageContract


class TestPackage(PackageContract):
    folder = Path(__file__).parent.parent
