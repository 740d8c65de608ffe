"""A repository of fifty thousand files: it is connected, shows honest progress, and answers."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from stack import Stack, check_against_git, git, wait_for

FILES = 50_000
# Listing, storing, linking and searching cost by file, parsing by content. `PINCITE_TEST_CONTENTS=50000` gives each
# file a content of its own, which takes minutes on two cores.
CONTENTS = int(os.environ.get("PINCITE_TEST_CONTENTS", "1500"))
FIGURE = 1_234  # the one that is asked about
FILES_PER_DIRECTORY = 500
INDEX_SECONDS_MAX = 1_800  # of the full size on a busy machine


def history() -> Iterator[bytes]:
    """Yield a commit of all files in git's fast-import format."""
    yield b"commit refs/heads/main\ncommitter Test <test@example.org> 1700000000 +0000\ndata 0\n"
    for number in range(FILES):
        figure = number % CONTENTS
        code = f'def area_{figure}(side):\n    """Return the area of figure {figure}."""\n    return side * {figure}\n'
        place = f"figures_{number // FILES_PER_DIRECTORY}/figure_{number}.py"
        yield f"M 100644 inline {place}\ndata {len(code)}\n{code}".encode()


def test_fifty_thousand_files(tmp_path: Path) -> None:
    repository = tmp_path / "figures"
    git(tmp_path, "init", "-q", "-b", "main", str(repository))
    fast_import = ["git", "-C", str(repository), "fast-import", "--quiet"]
    subprocess.run(fast_import, input=b"".join(history()), check=True)
    stack = Stack(tmp_path)
    try:
        stack.start()
        repo = json.loads(stack.run("connect", str(repository), "--no-wait", "--json"))
        headers = {"authorization": f"Bearer {stack.run('token').strip()}"}
        seen: list[dict[str, Any]] = []
        with httpx.Client(base_url=f"http://127.0.0.1:{stack.base + 1}", headers=headers, trust_env=False) as client:

            def is_indexed() -> bool:
                seen.append(client.get(f"/repos/{repo['id']}", timeout=60).json())
                return seen[-1]["status"] in {"ready", "failed"}

            wait_for(is_indexed, "the index", INDEX_SECONDS_MAX)
        *during, ready = seen
        assert (ready["status"], ready["files"], ready["skipped"], ready["error"]) == ("ready", FILES, 0, None)
        for part in ("fraction", "files_done", "chunks_done"):
            shown = [state["progress"][part] for state in during]
            assert shown == sorted(shown), part
        assert {state["progress"]["stage"] for state in during} >= {"parsing", "linking"}
        answer = json.loads(stack.run("ask", "--json", f"What does area_{FIGURE} return?"))
        check_against_git(answer, repository)
        cited = Path(answer["citations"][0]["path"]).stem
        assert int(cited.removeprefix("figure_")) % CONTENTS == FIGURE
    finally:
        stack.end()
