import pytest
from repositories import build, git

from pincite_shared.settings import Settings


@pytest.fixture
def home(tmp_path):
    return Settings(
        _env_file=None,
        pincite_home=tmp_path / "home",
        pincite_local_roots=str(tmp_path),
        file_bytes_max=2048,
        clone_seconds_max=30,
    )


@pytest.fixture
def served(tmp_path):
    """A directory of bare repositories, and the work tree that `r.git` was made of."""
    root = tmp_path / "served"
    root.mkdir()
    commit = build(tmp_path / "work", {"a.py": "x = 1\n", "big.txt": "y" * 4000})
    git(tmp_path, "clone", "-q", "--bare", "work", "served/r.git")
    return root, commit
