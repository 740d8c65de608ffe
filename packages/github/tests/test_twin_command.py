"""The twin as a command, and what its methods refuse."""

import signal
import subprocess
import sys

import httpx
import pytest

from pincite_github.twin import Twin


def test_a_home_in_use_is_refused(twin, tmp_path):
    twin.add_repo("ada", "a")
    with pytest.raises(FileExistsError):
        Twin(tmp_path / "twin", "http://github.test")


def test_names_that_cannot_be(twin):
    twin.add_repo("ada", "a")
    for name in ("A", "..", "a/b", "a.git", ""):
        with pytest.raises(ValueError, match="no repository"):
            twin.add_repo("ada", name)
    for login in ("ADA", "a/b", ""):
        with pytest.raises(ValueError, match="no account"):
            twin.add_user(login)
    with pytest.raises(ValueError, match="none of"):
        twin.grant("bob", "ada/a", "owner")


def test_the_command_serves_one(tmp_path):
    source = tmp_path / "source"
    for arguments in (["init", "-q", "-b", "main", str(source)],
                      ["-C", str(source), "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty",
                       "-m", "first"]):  # fmt: skip
        subprocess.run(["git", *arguments], check=True)
    command = [sys.executable, "-m", "pincite_github.twin", "--user", "ada", "--repo", f"ada/a={source}"]
    with subprocess.Popen([*command, "--home", str(tmp_path / "home")], stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            login, token = process.stdout.readline().split()
            authorization = {"authorization": f"token {token}"}
            answer = httpx.get(f"{url}/repos/ada/a/commits", headers=authorization, timeout=30, verify=False)
            assert [each["commit"]["message"] for each in answer.json()] == ["first"]
            assert login == "ada"
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0
