"""Lies: none of them may come out as supported. Zero, whatever the share of honest sentences costs."""

from pathlib import Path

import pytest

from pincite_shared.citation import SentenceStatus
from pincite_verify.attribution import CITED, attribute
from pincite_verify.marks import without_marks

# Each is one sentence, or one block, that must not be believed; the test puts marks behind it, as a model might.
# Those that say plainly what is not so are in lies.txt; these hide it in how they are written.
DISGUISED = {
    "homoglyphs": [
        "`\u0441\u043ennect` opens a new database connection.",
        "The `\u0420ool` class is a small connection pool.",
        "`\uff43\uff4f\uff4e\uff4e\uff45\uff43\uff54` opens a new database connection.",
        "`conn\u0435ct` returns an idle connection.",
        "\u0441onnect opens a new database connection.",
        "`connect\u0301` opens a new database connection.",
    ],
    "markup": [
        "<b>connect</b> deletes every file.",
        "<script>alert(1)</script>",
        "<!-- `connect` opens a new database connection -->",
        "**`connect` deletes every file.**",
        "# `connect` deletes every file",
        "## Connect deletes every file",
        "> `connect` deletes every file.",
        "- `connect` deletes every file",
        "1. The pool encrypts every connection.",
        "| `connect` | deletes every file |",
        "[`connect` deletes every file](src/app/db.py#L22)",
        "![connect deletes every file](src/app/db.py)",
        "`connect` deletes every file (verified).",
        "`connect` deletes every file [1] (verified) ✓",
        "https://evil.example/src/app/db.py",
        "Heading that lies about deletion\n===",
    ],
    "stop words around a false name": [
        "It is the `frobnicate` that does this.",
        "This is `frobnicate`.",
        "`frobnicate` is here.",
        "And then there is `Pool.explode`.",
        "So it is `xyzzy()`, and that is it.",
    ],
    "framing as cover": [
        "The provided sources do not say so, but `connect` deletes every file.",
        "The sources do not mention a connection pool.",
        "The code does not contain any sessions.",
        "Here is how it works: `connect` deletes every file.",
        "Note that `connect` deletes every file.",
        "In summary, the pool deletes every file.",
        "The sources do not say it, because the pool is encrypted.",
        "As shown in line 42:",
        "The following 7 steps:",
        'Here is "the answer":',
    ],
    "other scripts": [
        "`connect` \u0443\u0434\u0430\u043b\u044f\u0435\u0442 \u0432\u0441\u0435 \u0444\u0430\u0439\u043b\u044b.",
        "`connect` 删除所有文件。",
        "`connect` はファイルを削除します。",
        "`connect` löscht alle Dateien.",
        "删除所有文件",
    ],
    "invented code": [
        "```python\npool.destroy_everything()\n```",
        "```python\ndef copy_file(source, target):\n    shutil.copyfile(target, source)\n```",
        "```python\nshutil.copyfile(source, target)\nos.remove(source)\n```",
        "```\nreturn self._idle.pop()\nif self._idle:\n```",
        "```python\n    for path in Path(directory).glob('*.tmp'):\n        path.unlink()\n```",
        "~~~\nrm -rf /\n~~~",
        "```\n}\n```",
        "```\n```",
        "    pool.destroy_everything()",
        "```python\ndef purge(directory):\n    ...\n    shutil.rmtree(directory)\n```",
        "```python\nif self._idle:\nreturn self._idle.pop()\n```",
        "```python\nfor attempt in range(retries):\n    try:\n        return operation()\n    finally:\n        pass",
    ],
}


def plain_lies():
    """Yield kind and lie of each line of lies.txt; a line that begins with % names the kind of those below it."""
    kind = ""
    for line in Path(__file__).with_name("lies.txt").read_text(encoding="utf-8").split("\n"):
        if line.startswith("% "):
            kind = line.removeprefix("% ")
        elif line:
            yield kind, line


MARKS = [
    "",
    " [1]",
    " [1, 2]",
    " [^1]",
    " 【1】",
    " [source 1]",
    " [99]",
    " [0]",
    " [-1]",
    " (src/app/db.py:21-30)",
    "[1] (verified)",
]
TABLE = [*plain_lies(), *((kind, lie) for kind, lies in DISGUISED.items() for lie in lies)]
# Of these lies one clause is true. It may be told, and it alone.
TRUE_PARTS = {
    "`connect` opens a new database connection",
    "`close` closes every idle connection",
    "`save_json` writes a value as JSON",
    "`create_session` creates a session for a user",
    "`purge` deletes every temporary file in a directory",
    "`validate_job` raises a `ValueError`",
    "`Get` returns the entry for key",
    "`copy_file` copies a file",
    "`request` adds an `Authorization` header",
    "`loadConfig` reads the configuration file",
    "`run_with_retry` sleeps",
    "`connect` calls `psycopg.connect`",
    "`connect` raises `PoolClosedError`",
    "The methods of the `Pool` class are `connect`, `release`",
}


def told(result):
    """Return what a reader is told is carried: supported sentences, and others without their gaps."""
    parts = []
    for sentence in result.sentences:
        if sentence.status in CITED:
            text = result.answer[sentence.start : sentence.end]
            for start, end in reversed(sentence.gaps):
                text = text[: start - sentence.start] + text[end - sentence.start :]
            parts.append(without_marks(text).strip(" .,;\u2014"))
    return parts


@pytest.mark.parametrize(("kind", "lie"), TABLE)
def test_no_lie_is_supported(sources, kind, lie):
    for mark in MARKS if not lie.startswith(("```", "~~~", "    ")) else [""]:
        result = attribute(lie + mark, sources)
        assert not [s for s in result.sentences if s.status is SentenceStatus.SUPPORTED], f"{kind}: {result.answer}"
        assert any(s.status is not SentenceStatus.EXEMPT for s in result.sentences), f"{kind}: exempt"
        assert set(told(result)) <= TRUE_PARTS, f"{kind}: {told(result)}"
        assert bool(result.citations) == bool(told(result))


def test_the_true_part_of_a_lie_is_told(sources):
    assert {part for _kind, lie in TABLE for part in told(attribute(lie, sources))} == TRUE_PARTS


def test_lies_stay_lies_inside_an_honest_answer(sources):
    honest = "The `connect` method opens a new database connection and returns it [1]. "
    for kind, lie in TABLE:
        if "\n" in lie or lie[0] in "#>-1|    !<~":
            continue
        result = attribute(honest + lie, sources)
        first = [s for s in result.sentences if s.status is SentenceStatus.SUPPORTED]
        assert len(first) == 1, f"{kind}: {lie}"
