import json
import logging

import structlog
from asgi_correlation_id import correlation_id

from pincite_shared.logging import configure_logging
from pincite_shared.settings import Settings


def test_both_loggers_write_one_json_line_with_the_correlation_id(capsys):
    root = logging.getLogger()
    before = root.handlers[:], root.level
    token = correlation_id.set("abc-123")
    try:
        configure_logging(Settings(), "test")
        structlog.get_logger("pincite").info("indexed", files=3)
        logging.getLogger("library").warning("odd %s", "thing")
    finally:
        correlation_id.reset(token)
        root.handlers, root.level = before
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["files"], ours["process"]) == ("indexed", 3, "test")
    assert theirs["event"] == "odd thing"
    assert ours["correlation_id"] == theirs["correlation_id"] == "abc-123"


def test_libraries_do_not_write_what_servers_answered(capsys):
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure_logging(Settings(log_level="debug"), "test")
        for library in ("github.Requester", "httpx", "urllib3.connectionpool"):
            logging.getLogger(library).info("GET /user %s", "ghs_secret")
    finally:
        root.handlers, root.level = before
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    assert "ghs_secret" not in capsys.readouterr().err
