"""The chart of `examples/deploy/helm`, rendered by Helm's own library and held against Kubernetes' schemas and the configuration."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lynkr_core.config import parse
from lynkr_core.testing.process import gateway
from lynkr_core.testing.waiting import until

pytest.importorskip("helm_python", reason="Helm's library is in the registry for Linux on x86-64 only")
FOLDER = Path(__file__).parent.parent / "examples/deploy"
TOML = (FOLDER / "lynkr.toml").read_text()
SECRET = {"LYNKR_ADMIN_KEY": "a" * 32, "LYNKR_PEPPER": "p" * 32}
URLS = {"LYNKR_REDIS_URL": "redis://redis:6379/0", "LYNKR_POSTGRES_URL": "postgresql://lynkr:x@postgres:5432/lynkr"}
ASKED = """
import json, sys
import helm_python as helm
values = json.load(sys.stdin)
with helm.Chart.load(sys.argv[1]) as chart:
    try:
        told = {"rendered": chart.render(values, name="demo", namespace="prod")}
    except helm.HelmError as error:
        told = {"error": str(error)}
told["lint"] = helm.lint(sys.argv[1], values, strict=True)
json.dump(told, sys.stdout)
"""
FULL = {
    "image": {"repository": "registry.example/lynkr", "tag": "1.2.3", "pullSecrets": ["pull"]}, "podAnnotations": {"a/b": "c"},
    "service": {"type": "LoadBalancer", "port": 80, "annotations": {"d": "e"}}, "nodeSelector": {"disk": "ssd"},
    "ingress": {"enabled": True, "className": "nginx", "host": "llm.example.com", "tlsSecret": "tls", "annotations": {"f": "off"}},
    "autoscaling": {"enabled": True, "minReplicas": 3}, "tolerations": [{"key": "k", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
}  # fmt: skip
VERSIONS = ("1.25", "1.33", "1.37")


def asked(**values: Any) -> dict[str, Any]:
    """In a process of its own: it is a Go library, with threads and signals."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED, str(FOLDER / "helm")], input=json.dumps({"config": TOML, **values}), capture_output=True,
        text=True, check=True, timeout=120,
    )  # fmt: skip
    return json.loads(done.stdout)


def objects(**values: Any) -> dict[str, Any]:
    """By kind."""
    rendered = asked(**values)["rendered"]
    found = [yaml.safe_load(text) for name, text in rendered.items() if not name.endswith(".txt")]
    return {one["kind"]: one for one in found if one}


@pytest.mark.parametrize("values", [{}, FULL, {"replicas": 1}], ids=["usual", "everything", "one"])
def test_what_is_rendered_is_good_for_kubernetes(values):
    for one in objects(**values).values():
        for version in VERSIONS:
            kubernetes_validate.validate(one, version, strict=True)
        assert one["metadata"]["name"] == "demo-lynkr"


def test_the_chart_has_no_lint():
    told = asked(image={"repository": "x"})["lint"]
    assert told["errors"] == []
    assert [message["error"] for message in told["messages"]] == ["icon is recommended"]


def test_what_is_switched_on_is_there():
    assert set(objects()) == {"ConfigMap", "Deployment", "Service", "PodDisruptionBudget"}
    assert set(objects(replicas=1)) == {"ConfigMap", "Deployment", "Service"}
    full = objects(**FULL)
    assert set(full) == {"ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"}
    assert "replicas" not in full["Deployment"]["spec"], "the autoscaler's number would be undone by every upgrade"


def test_the_configuration_arrives_as_it_is_and_its_folders_can_be_written():
    told = objects()
    assert told["ConfigMap"]["data"]["lynkr.toml"].strip() == TOML.strip()
    pod = told["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    for spill in re.findall(r'^spill = "(.*)"', TOML, re.MULTILINE):
        assert str(Path(spill).parent) in mounts
    assert not any("subPath" in mount for mount in mounts.values())
    settings = parse(told["ConfigMap"]["data"]["lynkr.toml"], SECRET | URLS).server
    assert settings.notice + settings.drain < pod["terminationGracePeriodSeconds"]
    assert settings.notice > container["readinessProbe"]["periodSeconds"]
    assert (container["ports"][0]["containerPort"], settings.host) == (settings.port, "0.0.0.0")
    named = set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", (FOLDER / "helm/values.yaml").read_text()))
    assert set(re.findall(r"\$\{(\w+)", TOML)) <= named


def test_the_pod_has_no_more_rights_than_it_needs():
    pod = objects()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    uid = int(re.search(r"^USER (\d+)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)[1])
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, uid)
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip


@pytest.mark.parametrize(("values", "words"), [
    ({"config": ""}, "--set-file config=lynkr.toml"), ({"replicas": 0}, "replicas"), ({"replica": 3}, "replica"), ({"secret": ""}, "secret"),
    ({"ingress": {"enabled": True}}, "ingress.host"), ({"service": {"type": "Nonsense"}}, "service"),
])  # fmt: skip
def test_values_that_are_wrong_are_refused(values, words):
    assert words in asked(**values)["error"]


@pytest.mark.anyio
async def test_a_changed_config_map_is_taken_up(tmp_path):
    """Kubernetes swaps a link to a folder."""

    def put(version: str, prefix: str) -> None:
        (tmp_path / version).mkdir()
        (tmp_path / version / "lynkr.toml").write_text(f'[provider.echo]\nprefix = "{prefix}"\n')
        (tmp_path / "..new").symlink_to(version)
        (tmp_path / "..new").rename(tmp_path / "..data")

    put("..1", "one: ")
    (tmp_path / "lynkr.toml").symlink_to("..data/lynkr.toml")
    with gateway("serve", cwd=tmp_path) as running:

        def config() -> str:
            with urllib.request.urlopen(f"{running.url}/health/ready", timeout=30) as answer:
                return json.load(answer)["config"]

        before = config()
        put("..2", "two: ")
        await until(lambda: config() != before)
