"""The API of jobs, as a server: what the provider's documentation would say, in code."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Self
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

TOKEN = "tok-4711-secret"


class JobServer:
    """`with JobServer() as server:` serves at `server.url`. A job is done after so many `questions`; one told `stay` never is.

    `forms` has what was submitted, `cancelled` the ids of jobs that were deleted.
    """

    def __init__(self, questions: int = 2) -> None:
        self.questions = questions
        self.forms: dict[str, dict[str, str]] = {}
        self.asked: dict[str, int] = {}
        self.cancelled: list[str] = []
        self._ids = count(1)
        server = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None: ...

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode(), strict_parsing=True)
                self.reply(*server.submit({key: values[0] for key, values in form.items()}, self.headers))

            def do_GET(self) -> None:
                self.reply(*server.look(self.path))

            def do_DELETE(self) -> None:
                server.cancelled.append(self.path.rpartition("/")[2])
                self.reply(200, "<ok/>")

            def reply(self, status: int, xml: str) -> None:
                body = xml.encode()
                self.send_response(status)
                self.send_header("content-type", "application/xml")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def submit(self, form: dict[str, str], headers: object) -> tuple[int, str]:
        if headers["x-job-token"] != TOKEN:
            return 401, f'<error code="bad_token">no such token: {headers["x-job-token"]}</error>'
        if headers["content-type"] != "application/x-www-form-urlencoded" or "prompt" not in form:
            return 400, '<error code="bad_form">a form with a prompt is needed</error>'
        id = f"j{next(self._ids)}"
        self.forms[id], self.asked[id] = form, 0
        return 202, f'<job id="{id}" state="queued"/>'

    def look(self, path: str) -> tuple[int, str]:
        if path == "/models":
            return 200, '<models><model name="small"/><model name="large"/></models>'
        id = path.rpartition("/")[2]
        if id not in self.forms:
            return 404, '<error code="no_such_job">there is no such job</error>'
        self.asked[id] += 1
        prompt = self.forms[id]["prompt"]
        if prompt.endswith("stay") or self.asked[id] < self.questions:
            return 200, f'<job id="{id}" state="running"/>'
        if prompt.endswith("busy"):
            return 200, f'<job id="{id}" state="failed"><error code="busy">no machine is free</error></job>'
        text = escape(f"I was told: {prompt}")
        return 200, f'<job id="{id}" state="done" ended="end"><text>{text}</text><units in="12" out="7"/></job>'
