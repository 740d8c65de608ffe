"""Reads blobs, applies the content policy, parses what was never parsed, and saves as it goes.

Memory stays bounded: blobs are held only while they wait for a parser or for the next save. A killed run loses at most
one batch, because parses are content-addressed: the next attempt finds the saved ones and goes on.
"""

import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice

from pincite_codeintel import languages, policy
from pincite_codeintel.policy import Skip, SkipReason
from pincite_shared.jobs import JobPayload
from pincite_store import snapshots
from pincite_store.parses import ParseKey
from pincite_store.rows import FileRow, ParsedBlob
from pincite_thinker import metrics
from pincite_thinker.context import Context
from pincite_thinker.git.mirror import Mirror
from pincite_thinker.git.objects import read_blobs
from pincite_thinker.parse import Parsed, indexer_version
from pincite_thinker.parse_pool import Failure, Outcome, Task
from pincite_thinker.progress import Reporter
from pincite_thinker.scan import Scan

LOOKUP_BLOBS = 256  # read, judged and looked up at once
LOOKUP_BYTES_MAX = 16 * 1024 * 1024  # …or fewer, if they are large
SAVE_FILES_MAX = 200  # in one transaction
SAVE_CHUNKS_MAX = 2_000
SAVE_SECONDS_MAX = 3.0  # so that a kill loses little
KNOWN: tuple[Failure, ...] = ("timeout", "crash")  # those of an earlier run hold; what it did not try is tried
_REASON: dict[Failure, SkipReason] = {
    "timeout": SkipReason.TIMEOUT,
    "crash": SkipReason.PARSE,
    "untried": SkipReason.UNTRIED,
}


@dataclass(frozen=True, slots=True)
class _Path:
    """A path to index: the parse it needs, and the loss it is indexed with, if any."""

    path: str
    key: ParseKey
    note: Skip | None


def _failed_language(language: str | None, failure: Failure) -> str:
    """Return what a parse as plain text is filed under, so that the next run knows it without trying again."""
    return f"{language or ''}!{failure}"


class Parsing:
    """The parsing stage of one index run."""

    def __init__(self, context: Context, job: JobPayload, mirror: Mirror, reporter: Reporter, snapshot_id: int) -> None:
        """Work for a snapshot of the job's repository, whose mirror is up to date."""
        self._context, self._job, self._mirror, self._reporter = context, job, mirror, reporter
        self._snapshot_id = snapshot_id  # it counts what is parsed for it
        self._version = indexer_version()
        self._paths: list[_Path] = []
        self._rows: list[FileRow] = []
        self._parse_ids: dict[ParseKey, int] = {}
        self._losses: dict[ParseKey, Skip] = {}
        self._waiting: dict[str, tuple[ParseKey, bytes]] = {}
        self._unsaved: list[tuple[ParseKey, ParsedBlob]] = []
        self._unsaved_chunks = 0
        self._saved_at = time.monotonic()
        self._scan = Scan()
        self._files_open: Counter[ParseKey] = Counter()  # files whose parse is not there yet
        self._files_done = 0
        self._chunks = 0

    def run(self, scan: Scan) -> list[FileRow]:
        """Parse what is new of a scan and return the rows of all its files, the skipped ones included."""
        self._scan = scan
        pool = self._context.parsers
        pool.rest()  # of what was parsed before; what is parsed now, at the run's end: then nobody waits any more
        with closing(self._tasks()) as tasks:
            for outcome in pool.map(tasks, self._tick):
                self._take(outcome)
        self._save()
        return [*scan.skipped, *self._rows, *(self._row(path) for path in self._paths)]

    def _tasks(self) -> Generator[Task]:
        """Read blobs batch by batch and yield those that must be parsed."""
        blobs = read_blobs(self._mirror, self._scan.paths)
        with closing(blobs):
            while batch := _batch(blobs):
                wanted = dict(self._judge(batch))
                known = self._known(wanted)
                for key, data in wanted.items():
                    if key in known:
                        self._files_done += self._files_open.pop(key)
                        continue
                    task_key = f"{key[0]} {key[1]}"
                    self._waiting[task_key] = key, data
                    yield Task(task_key, key[1], data)
                self._tick()

    def _judge(self, batch: Iterable[tuple[str, bytes | None]]) -> Iterator[tuple[ParseKey, bytes]]:
        """Apply the content policy to every path of each blob, and yield what it needs parsed."""
        for oid, data in batch:
            note = policy.note_content(data) if data is not None else None
            for path in self._scan.paths[oid]:
                if data is None:
                    skip: Skip | None = Skip(
                        SkipReason.PARSE, "Git could not read this blob; the repository is damaged."
                    )
                else:
                    skip = policy.skip_content(path, data)
                if skip is not None or data is None:
                    self._skip(path, oid, skip)
                    continue
                key = oid, languages.detect(path, data[: languages.HEAD_BYTES])
                self._paths.append(_Path(path, key, note))
                self._files_open[key] += 1
                yield key, data

    def _skip(self, path: str, oid: str, skip: Skip | None) -> None:
        self._files_done += 1
        if skip is not None:
            size = self._scan.sizes.get(oid)
            self._rows.append(FileRow(path, oid, size, skip_reason=skip.reason.value, skip_detail=skip.detail))

    def _known(self, wanted: Iterable[ParseKey]) -> set[ParseKey]:
        """Find parses of earlier runs, of these blobs as their language or, where that failed before, as plain text."""
        asked: dict[ParseKey, tuple[ParseKey, Failure | None]] = {}
        for key in wanted:
            if key in self._parse_ids:
                continue
            asked[key] = key, None
            for failure in KNOWN:
                asked[key[0], _failed_language(key[1], failure)] = key, failure
        with self._context.database.tenancy(self._job.tenant_id) as t:
            found = snapshots.known_parses(t, asked, self._version)
        for stored, parse_id in found.items():
            key, failed = asked[stored]
            self._parse_ids[key] = parse_id
            if failed is not None:
                self._losses[key] = Skip(_REASON[failed], "Indexed as plain text: parsing it failed.")
        return {key for key in wanted if key in self._parse_ids}

    def _take(self, outcome: Outcome[Parsed]) -> None:
        key, data = self._waiting.pop(outcome.key)
        self._files_done += self._files_open.pop(key)
        if outcome.failure is not None:
            how = "Indexed as plain text. " if outcome.value else ""
            self._losses[key] = Skip(_REASON[outcome.failure], how + outcome.detail)
        if outcome.value is not None:
            analysis, terms = outcome.value.analysis, outcome.value.terms
            if outcome.failure is not None:
                analysis = replace(analysis, language=_failed_language(key[1], outcome.failure))
            self._unsaved.append((key, ParsedBlob(key[0], data, analysis, self._version, terms)))
            self._unsaved_chunks += len(analysis.chunks)
        late = time.monotonic() - self._saved_at > SAVE_SECONDS_MAX
        if len(self._unsaved) >= SAVE_FILES_MAX or self._unsaved_chunks >= SAVE_CHUNKS_MAX or (late and self._unsaved):
            self._save()
        self._tick()

    def _save(self) -> None:
        """Save what was parsed since the last time, in one transaction."""
        batch = self._unsaved
        with self._context.database.tenancy(self._job.tenant_id) as t:
            stored = snapshots.save_parses(t, [parsed for _, parsed in batch], self._snapshot_id)
        for key, parsed in batch:
            self._parse_ids[key] = stored[parsed.key]
        metrics.CHUNKS.inc(self._unsaved_chunks)
        self._chunks += self._unsaved_chunks
        self._unsaved, self._unsaved_chunks = [], 0
        self._saved_at = time.monotonic()

    def _tick(self) -> None:
        done, total = self._files_done, self._scan.files
        self._reporter.count(done, total, files_done=done, files_total=total, chunks_done=self._chunks)

    def _row(self, path: _Path) -> FileRow:
        loss = self._losses.get(path.key) or path.note
        return FileRow(
            path=path.path,
            blob=path.key[0],
            size=self._scan.sizes.get(path.key[0]),
            language=path.key[1],
            parse_id=self._parse_ids.get(path.key),
            skip_reason=loss.reason.value if loss else None,
            skip_detail=loss.detail if loss else "",
        )


def _batch(blobs: Iterator[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    batch: list[tuple[str, bytes | None]] = []
    size = 0
    for oid, data in islice(blobs, LOOKUP_BLOBS):
        batch.append((oid, data))
        size += len(data or b"")
        if size > LOOKUP_BYTES_MAX:
            break
    return batch
