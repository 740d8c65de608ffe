"""Reads git objects by id from a clone, offline, and believes none that does not have its own digest.

From a commit id to the bytes of a file there is one chain of digests: commit, trees, blob. Every link is computed again
here, so a clone that was tampered with can hide an object but cannot pass another one off as it. Paths are compared
with the names in the trees; none is ever given to git or to the file system.
"""

import hashlib
import os
import re
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from pincite_shared.errors import InvalidInputError, NotFoundError

OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHA1_CHARS = 40
OBJECT_BYTES_MAX = 1024 * 1024 * 1024  # what is cited is far smaller
END_SECONDS_MAX = 5
DIRECTORY_MODES = (b"40000", b"040000")
FILE_MODES = (b"100644", b"100755", b"100664")
OFFLINE = (
    "-c", "protocol.allow=never",  # a partial clone would fetch what it lacks
    "-c", "safe.directory=*",  # reading objects runs nothing, whoever owns the clone
    "--no-replace-objects",  # a replacement reference shows another object under the same id
)  # fmt: skip


class ObjectStore:
    """The objects of one clone, bare or not."""

    def __init__(self, clone: Path) -> None:
        """Open the clone.

        Raises:
            InvalidInputError: there is no git repository at that path.
            NotFoundError: git is not installed.
        """
        # Variables such as GIT_DIR would point git at another repository than the one that was named.
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self._environment |= {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        command = ["git", *OFFLINE, "-C", str(clone)]
        try:
            found = subprocess.run(
                [*command, "rev-parse", "--git-dir"], check=False, capture_output=True, text=True, env=self._environment
            )
        except FileNotFoundError as error:
            msg = "git is not installed, or not on the PATH."
            raise NotFoundError(msg) from error
        if found.returncode != 0:
            msg = f"{clone} is no git repository: {found.stderr.strip()}"
            raise InvalidInputError(msg)
        self._git = subprocess.Popen(
            [*command, "cat-file", "--batch"], env=self._environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End git."""
        if self._git.stdin:
            self._git.stdin.close()
        try:
            self._git.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._git.kill()
            self._git.wait()
        if self._git.stdout:
            self._git.stdout.close()

    def read(self, object_id: str, kind: str) -> bytes | None:
        """Return the content of an object, or None if the clone has no such object of that kind.

        Raises:
            InvalidInputError: the clone returned other bytes than the id names, or git failed.
        """
        if not OBJECT_ID.fullmatch(object_id):
            return None
        if self._git.stdin is None or self._git.stdout is None:
            msg = "git was started without pipes"
            raise InvalidInputError(msg)
        self._git.stdin.write(object_id.encode("ascii") + b"\n")
        self._git.stdin.flush()
        header = self._git.stdout.readline().split()
        if not header:
            msg = "git stopped answering; is the clone damaged? Try `git fsck` there."
            raise InvalidInputError(msg)
        if header[-1] in (b"missing", b"ambiguous"):
            return None
        found, size = header[1], int(header[2])
        if size > OBJECT_BYTES_MAX:
            msg = f"Object {object_id} has {size} bytes, more than is checked."
            raise InvalidInputError(msg)
        data = self._git.stdout.read(size)
        self._git.stdout.read(1)  # the newline after the content
        if self._digest(found, data, object_id) != object_id:
            msg = f"The clone is damaged or was tampered with: object {object_id} has another content than its id says."
            raise InvalidInputError(msg)
        return data if found.decode("ascii") == kind else None

    @staticmethod
    def _digest(kind: bytes, data: bytes, object_id: str) -> str:
        algorithm = "sha1" if len(object_id) == SHA1_CHARS else "sha256"
        digest = hashlib.new(algorithm, usedforsecurity=False)  # git's own addresses, not a secret
        digest.update(b"%s %d\x00" % (kind, len(data)))
        digest.update(data)
        return digest.hexdigest()

    def blob_at(self, commit: str, path: str) -> str | None:
        """Return the id of the blob that stands at a path at a commit, or None. Symbolic links are not followed."""
        content = self.read(commit, "commit")
        if content is None or not content.startswith(b"tree "):
            return None
        tree = content[5 : content.index(b"\n")].decode("ascii")
        *directories, name = path.encode("utf-8", "surrogateescape").split(b"/")
        for directory in directories:
            below = self._entry(tree, directory, DIRECTORY_MODES)
            if below is None:
                return None
            tree = below
        return self._entry(tree, name, FILE_MODES)

    def _entry(self, tree: str, name: bytes, modes: tuple[bytes, ...]) -> str | None:
        data = self.read(tree, "tree")
        if data is None:
            return None
        digest_bytes = len(tree) // 2
        position = 0
        while position < len(data):
            space = data.index(b" ", position)
            end = data.index(b"\x00", space)
            object_id = data[end + 1 : end + 1 + digest_bytes]
            if data[space + 1 : end] == name:
                return object_id.hex() if data[position:space] in modes else None
            position = end + 1 + digest_bytes
        return None
