"""The files of the page: what is from elsewhere is what was published there, ours keep to the page's policy, all are small."""

import gzip
import re
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from lynkr_extension_dashboard.assets import assets, served

FOLDER = Path(__file__).parents[1] / "src/lynkr_extension_dashboard/assets"
VENDOR = FOLDER / "vendor"
LISTED = tomllib.loads((VENDOR / "vendor.toml").read_text())["file"]
MOST = 80 * 1024
UNDONE = {"hooks.js": (b'from"./preact.js"', b'from"preact"'), "uplot.js": (b"export default uPlot;\n", b"")}
OWN = sorted(path for path in FOLDER.iterdir() if path.suffix in (".js", ".html", ".css", ".svg"))


@pytest.mark.parametrize("file", LISTED, ids=lambda file: file["name"])
def test_what_is_from_elsewhere_is_what_was_published(file):
    kept = (VENDOR / file["name"]).read_bytes()
    assert sha256(kept).hexdigest() == file["sha256"]
    assert sha256(kept.replace(*UNDONE.get(file["name"], (b"", b"")))).hexdigest() == file["published"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", file["version"])
    words = {"MIT": b"Permission is hereby granted", "Apache-2.0": b"Apache License"}[file["licence"]]
    assert words in (VENDOR / f"LICENSE.{file['package']}").read_bytes()


def test_everything_from_elsewhere_is_listed():
    assert {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".css")} == {file["name"] for file in LISTED}


def test_all_of_it_is_small():
    assert sum(len(asset.zipped) for asset in assets().values()) <= MOST


def test_the_page_has_no_script_and_no_style_inside_and_asks_nobody_else():
    html = (FOLDER / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html)
    for path in OWN:
        text = path.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path.name
        assert not re.search(r"\beval\(|new Function|innerHTML|dangerouslySetInnerHTML|insertAdjacentHTML|document\.write", text)


def test_every_import_is_a_file_of_the_page():
    for path in OWN:
        for name in re.findall(r'from "\./([^"]+)"|(?:src|href)="dashboard/([^"]+)"', path.read_text()):
            assert "".join(name) in assets(), f"{path.name} wants {name}"


def test_files_are_served_with_guards_and_only_those():
    reply = served("app.js", {})
    headers = dict(reply.headers)
    assert b"default-src 'none'" in headers[b"content-security-policy"]
    assert b"unsafe" not in headers[b"content-security-policy"]
    assert (headers[b"x-content-type-options"], headers[b"x-frame-options"]) == (b"nosniff", b"DENY")
    assert reply.body == (FOLDER / "app.js").read_bytes()
    for name in ("../__init__.py", "vendor/../app.js", "/etc/passwd", "vendor", "py.typed", "vendor/vendor.toml", ""):
        assert served(name, {}).status == 404, name
        assert b"default-src 'none'" in dict(served(name, {}).headers)[b"content-security-policy"]


def test_files_are_zipped_and_kept_by_the_browser():
    zipped = served("style.css", {b"accept-encoding": b"gzip, br"})
    assert dict(zipped.headers)[b"content-encoding"] == b"gzip"
    assert gzip.decompress(zipped.body) == (FOLDER / "style.css").read_bytes()
    again = served("style.css", {b"if-none-match": dict(zipped.headers)[b"etag"]})
    assert (again.status, again.body) == (304, b"")
