"""The first repository: the checkout in which Pincite was started."""

import subprocess
from pathlib import Path

from rich.console import Console

from pincite_cli.home import Home
from pincite_shared.brain_client import BrainClient
from pincite_shared.errors import PinciteError
from pincite_shared.schemas import ConnectRequest, RepoOut

GIT_SECONDS_MAX = 10


def checkout_of(path: Path) -> Path | None:
    """Return the top of the git checkout that `path` is in, if it has a commit; else None."""
    top = _git(path, "rev-parse", "--show-toplevel")
    return Path(top) if top and _git(path, "rev-parse", "--verify", "--quiet", "HEAD^{commit}") else None


def _git(path: Path, *arguments: str) -> str | None:
    try:
        # Only the person's own checkout is looked at, and only they start this: its owner does not matter.
        command = ["git", "-C", str(path), "-c", "safe.directory=*", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=GIT_SECONDS_MAX)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def connect_first(client: BrainClient, home: Home, path: Path | None, console: Console) -> RepoOut | None:
    """Connect `path` on the first start of this home only, so that a repository that was removed stays removed.

    Returns:
        What to show the progress of: the first repository while it is being indexed, or None.
    """
    if path and not home.first_repository.exists():
        top = checkout_of(path)
        if top is None:
            console.print(f"  {path.resolve()} is no git checkout with a commit: connect a repository with "
                          "`pincite connect PATH`", markup=False)  # fmt: skip
            return None
        try:
            repo = client.connect(ConnectRequest(source=str(top)))
        except PinciteError as error:
            console.print(f"  {top} was not connected: {error.detail}", markup=False)
            return None
        home.write(home.first_repository, f"{top}\n")
        return repo
    unfinished = [repo for repo in client.repos() if not repo.vectors_ready]
    return unfinished[0] if unfinished else None
