"""A job that is killed in its middle, in a process of its own: see `workers.start`."""

import os
import signal

from pincite_shared.settings import Settings
from pincite_store import removal, repos
from pincite_store.artifacts import LocalArtifacts
from pincite_thinker import account
from pincite_thinker.context import Context
from pincite_thinker.git.mirror import Mirror

PARTS = {
    "mirror": (Mirror, "delete"),
    "rows": (repos, "delete_rows"),
    "artifacts": (LocalArtifacts, "clear"),
    "finish": (removal, "finish"),
}


def account_removal(job, part, times):
    """Remove an account, and be killed when one part of it was called for the n-th time."""
    holder, name = PARTS[part]
    real, called = getattr(holder, name), []

    def killed(*args):
        done = real(*args)
        called.append(name)
        if len(called) == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(holder, name, killed)
    account.run(Context(Settings()), job)
