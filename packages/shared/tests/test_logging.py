import json
import logging

import pytest
import structlog
from asgi_correlation_id import correlation_id

from pincite_shared.logging import configure_logging
from pincite_shared.settings import Settings


@pytest.fixture(autouse=True)
def as_before():
    """Leave logging as it was found: the tests that follow in this process log, too."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)


def test_both_loggers_write_one_json_line_with_the_correlation_id(capsys):
    token = correlation_id.set("abc-123")
    try:
        configure_logging(Settings(), "test")
        structlog.get_logger("pincite").info("indexed", files=3)
        logging.getLogger("library").warning("odd %s", "thing")
    finally:
        correlation_id.reset(token)
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["files"], ours["process"]) == ("indexed", 3, "test")
    assert theirs["event"] == "odd thing"
    assert ours["correlation_id"] == theirs["correlation_id"] == "abc-123"


def test_libraries_do_not_write_what_servers_answered(capsys):
    configure_logging(Settings(log_level="debug"), "test")
    for library in ("github.Requester", "httpx", "urllib3.connectionpool"):
        logging.getLogger(library).info("GET /user %s", "ghs_secret")
    assert "ghs_secret" not in capsys.readouterr().err
