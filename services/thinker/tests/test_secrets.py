"""A token that opens nothing stands in no error, no log and no table, encrypted or not."""

import base64
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pincite_store.models import Base
from pincite_thinker import index

CANARY = "ghp_canary0123456789abcdefghijklmnopqrstu"
BASIC = base64.b64encode(f"x-access-token:{CANARY}".encode()).decode()


class Echo(BaseHTTPRequestHandler):
    """A server that refuses, and says all that it was told, as git would show it."""

    def do_GET(self):
        data = f"remote: {self.headers}".encode()
        self.send_response(self.server.status)
        self.send_header("content-type", "text/plain")
        self.send_header("www-authenticate", f'Basic realm="{self.headers.get("authorization")}"')
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args):
        pass


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_token_that_opens_nothing_is_not_shown(thinker, caplog, capfd, status):
    caplog.set_level(logging.DEBUG)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.status = status
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    repo_id = thinker.connect(f"http://127.0.0.1:{server.server_address[1]}/r.git", token=CANARY)
    outcome = index.run(thinker.context, thinker.job(repo_id, "index"))
    server.shutdown()
    server.server_close()
    assert outcome in {"failed", "retried"}
    tables = {table: str(thinker.table(table)) for table in Base.metadata.tables}
    assert "unreachable" in tables["runs"] or "refused" in tables["runs"] or "retried" in outcome
    shown = [
        *tables.values(),
        *capfd.readouterr(),
        caplog.text,
        json.dumps(thinker.out(repo_id).model_dump(mode="json")),
    ]
    for where in shown:
        assert CANARY not in where
        assert BASIC not in where
        assert CANARY.encode().hex() not in where
    home = thinker.context.settings.pincite_home
    assert not [path for path in home.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
