"""The provider's XML: a job, its answer, an error."""

from collections.abc import Mapping
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element, ParseError, fromstring

from lynkr_core import Headers, UpstreamError
from lynkr_core.errors import Kind

KINDS: Mapping[str, Kind] = {
    "bad_token": "auth", "no_such_model": "not_found", "slow_down": "rate_limited", "no_credit": "quota", "busy": "overloaded",
    "too_long": "context", "refused": "content", "bad_form": "invalid",
}  # fmt: skip
"""What its words for errors are to lynkr, which decides by them whether to try again, or another model."""
BY_STATUS: Mapping[int, Kind] = {401: "auth", 403: "auth", 404: "not_found", 429: "rate_limited", 529: "overloaded"}
STATUSES: Mapping[Kind, int] = {"overloaded": 529, "rate_limited": 429, "context": 400, "content": 400, "quota": 429}


class Job(NamedTuple):
    """`text`, `ended` and the units (its tokens) are there once it is done, `code` and `message` once it has failed."""

    id: str
    state: Literal["waiting", "done", "failed"]
    text: str = ""
    ended: str = "end"
    units_in: int = 0
    units_out: int = 0
    code: str = ""
    message: str = ""


def read(body: bytes) -> Element:
    """Raises `UpstreamError` for what is no XML, and for XML that declares entities, with which little can be made very large."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise UpstreamError("server", "the provider's XML declares entities", status=200)
    try:
        return fromstring(body)
    except (ParseError, LookupError, ValueError) as error:
        raise UpstreamError("server", f"the provider's answer is no XML: {error}", status=200) from None


def read_job(body: bytes) -> Job:
    """Raises `UpstreamError` for an answer that is no job."""
    root = read(body)
    id, state = root.get("id", ""), root.get("state")
    if root.tag != "job" or not id or state not in ("queued", "running", "done", "failed"):
        raise UpstreamError("server", "the provider's answer is no job", status=200)
    if state == "failed":
        code = root.find("error")
        return Job(id, "failed", code=code.get("code", "") if code is not None else "", message=root.findtext("error") or "")
    if state != "done":
        return Job(id, "waiting")
    units = root.find("units")
    spent = units.attrib if units is not None else {}
    ended = root.get("ended", "end")
    return Job(id, "done", root.findtext("text") or "", ended, count(spent.get("in")), count(spent.get("out")))


def count(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0


def failure(status: int, headers: Headers, text: str, name: str) -> UpstreamError:
    """An error answer, by the code in it, else by its status."""
    code, message = "", f"{name} answered with status {status}"
    try:
        root = read(text.encode())
        if root.tag == "error":
            code, message = root.get("code", ""), (root.text or message).strip()
    except UpstreamError:
        pass  # a page of a proxy in between
    kind = KINDS.get(code) or BY_STATUS.get(status) or ("server" if status >= 500 else "invalid")
    wait = headers.get(b"retry-after", b"")
    retry_after = float(wait) if wait.isdigit() and len(wait) < 9 else None
    return UpstreamError(kind, message, status=status, code=code or None, retry_after=retry_after, reported=True)


def failed(job: Job, name: str) -> UpstreamError:
    """What a job that has failed says."""
    kind = KINDS.get(job.code, "server")
    message = job.message.strip() or f"{name}: the job failed"
    return UpstreamError(kind, message, status=STATUSES.get(kind, 500), code=job.code or None, reported=True)
