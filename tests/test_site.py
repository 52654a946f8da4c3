"""The documentation's web site builds without a warning and has a page for everything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EVIDENCE = re.compile(r"`((?:core/tests|tests|plugins)/[\w./-]+)`")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run([sys.executable, ROOT / "core/docs/site.py", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_plugin_example_and_decision_has_a_page(site: Path):
    pages = [*ROOT.glob("plugins/*/README.md"), *ROOT.glob("examples/*/README.md")]
    assert [str(page) for page in pages if not (site / page.relative_to(ROOT).parent.with_suffix(".html")).exists()] == []
    assert len(list((site / "adr").glob("*.html"))) == len(list((ROOT / "core/docs/adr").glob("*.md")))


def test_the_tables_of_contents_lead_to_all_of_it(site: Path):
    index = (site / "index.html").read_text()
    for title in ("The journey", "Operations", "Security", "Hooks", "Compared", "provider-echo", "team-budgets"):
        assert title in index or f"{title}.html" in index, title


@pytest.mark.parametrize("page", ["comparison.md", "security.md"])
def test_evidence_that_is_named_is_there(page: str):
    named = EVIDENCE.findall((ROOT / "core/docs" / page).read_text())
    assert len(named) > 4
    assert [path for path in named if not (ROOT / path).exists()] == []
