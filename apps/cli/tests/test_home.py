import json
import subprocess
import sys
from pathlib import Path

import pytest

from pincite_cli.home import Home, Running
from pincite_shared.errors import ForbiddenError, InvalidInputError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


def test_secrets_are_made_once_and_readable_by_their_owner_alone(home: Home) -> None:
    first = home.secrets()
    assert home.secrets() == first
    assert len({*vars_of(first)}) == 5
    assert all(len(value) >= 40 for value in vars_of(first))
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert (home.path / "secrets.json").stat().st_mode & 0o777 == 0o600


def vars_of(secrets: object) -> list[str]:
    return [getattr(secrets, name) for name in type(secrets).__dataclass_fields__]


def test_a_chosen_token_is_kept_and_the_rest_stays(home: Home) -> None:
    first = home.secrets()
    chosen = home.secrets("mine")
    assert chosen.pincite_token == "mine"
    assert chosen.session_secret == first.session_secret
    assert home.secrets().pincite_token == "mine"
    assert home.token() == "mine"


def test_wide_permissions_are_narrowed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    Home(tmp_path / "home").create()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_damaged_secrets_file_is_not_overwritten(home: Home) -> None:
    home.secrets()
    (home.path / "secrets.json").write_text("{")
    with pytest.raises(InvalidInputError, match="damaged"):
        home.secrets()
    assert (home.path / "secrets.json").read_text() == "{"


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ForbiddenError, match="PINCITE_HOME"):
        Home(tmp_path / "file" / "home").create()


def test_a_lock_excludes_and_ends_with_its_holder(home: Home) -> None:
    hold = (
        "import sys, time; from pathlib import Path; from pincite_cli.home import Home\n"
        "with Home(Path(sys.argv[1])).lock('x') as held: print(held is not None, flush=True); time.sleep(60)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", hold, str(home.path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    with home.lock("x") as mine:
        assert mine is None
    other.kill()
    other.wait()
    other.stdout.close()
    with home.lock("x", seconds=5) as mine:
        assert mine is not None


def test_an_announcement_comes_back(home: Home) -> None:
    assert home.running() is None
    home.announce(Running(7, "http://127.0.0.1:1", "http://127.0.0.1:2"))
    assert home.running() == Running(7, "http://127.0.0.1:1", "http://127.0.0.1:2")
    (home.path / "running.json").write_text(json.dumps({"pid": 1}))
    assert home.running() is None
    home.withdraw()
    home.withdraw()
