"""The files of `examples/deploy` fit together: no container engine runs here, so they are linted and held against each other."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lynkr_core.config import parse
from lynkr_core.kernel import Kernel

FOLDER = Path(__file__).parent.parent / "examples/deploy"
TOML = (FOLDER / "lynkr.toml").read_text()
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
VARIABLES = set(re.findall(r"\$\{(\w+)", TOML))
SECRET = {"LYNKR_ADMIN_KEY": "a" * 32, "LYNKR_PEPPER": "p" * 32}


def configured():
    urls = {"LYNKR_REDIS_URL": "redis://redis:6379/0", "LYNKR_POSTGRES_URL": "postgresql://lynkr:x@postgres:5432/lynkr"}
    return parse(TOML, SECRET | urls)


def test_the_image_has_no_lint():
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, FOLDER / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_has_every_plugin_of_the_configuration_and_runs_without_root():
    config = configured()
    Kernel.from_config(config, {})
    for table in config.plugins:
        package = f"lynkr-{table.kind}" if table.use == "default" else f"lynkr-{table.kind}-{table.use}"
        assert re.search(rf"\s{package}\s", DOCKERFILE), package
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("name", ["gateway-1", "gateway-2"])
def test_a_service_has_the_variables_of_the_configuration_and_a_root_that_is_read_only(name):
    service = COMPOSE["services"][name]
    assert set(service["environment"]) == VARIABLES
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert set(service["depends_on"]) == {"redis", "postgres"} <= set(COMPOSE["services"])
    targets = [volume.split(":")[1] for volume in service["volumes"]]
    assert {str(Path(spill).parent) for spill in re.findall(r'^spill = "(.*)"', TOML, re.MULTILINE)} <= set(targets)


def test_no_key_stands_in_any_file():
    for path in [path for path in FOLDER.rglob("*") if path.is_file()]:
        assert not re.search(r"sk-|lk_[a-z0-9]{8}", path.read_text()), path


def test_prometheus_asks_the_gateways_and_drain_fits_into_the_time_to_stop():
    told = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    targets = told["scrape_configs"][0]["static_configs"][0]["targets"]
    assert [target.split(":")[0] for target in targets] == [name for name in COMPOSE["services"] if name.startswith("gateway")]
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(FOLDER / "lynkr.service")
    drain = configured().server.drain + configured().server.notice
    assert drain < int(unit["Service"]["TimeoutStopSec"])
    assert drain < int(COMPOSE["services"]["gateway-1"]["stop_grace_period"].rstrip("s"))
    assert unit["Service"]["ExecStart"].endswith("lynkr serve --config /etc/lynkr/lynkr.toml")
    assert unit["Service"]["NoNewPrivileges"] == "yes"
