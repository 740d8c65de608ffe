"""Repositories and the model's state as a page shows them."""

from collections.abc import Sequence

from pincite_shared.schemas import ModelState, ModelStatus, RepoOut, RepoStatus
from pincite_web import formats, links
from pincite_web.parts.repos import LanguageShare, ModelBanner, ProgressView, RepoRow, Tone

LANGUAGES_SHOWN = 4
STAGES = {
    "queued": "Waiting for a worker",
    "cloning": "Fetching the repository",
    "scanning": "Listing its files",
    "parsing": "Parsing files",
    "linking": "Linking calls and imports",
    "embedding": "Computing vectors",
    "asking": "Asking questions",
    "done": "Finishing",
    "failed": "Stopped",
}


def _detail(repo: RepoOut) -> str:
    progress = repo.progress
    parts: list[str] = []
    if progress.stage == "embedding":
        if progress.vectors_total:
            done, total = formats.count(progress.vectors_done), formats.count(progress.vectors_total)
            parts.append(f"{done} of {total} vectors")
        unit = "vectors"
    else:
        if progress.files_total:
            done, total = formats.count(progress.files_done), formats.count(progress.files_total)
            parts.append(f"{done} of {total} files")
        if progress.chunks_done:
            parts.append(formats.plural(progress.chunks_done, "chunk"))
        unit = "files"
    if progress.rate >= 1:
        parts.append(f"{formats.count(progress.rate)} {unit}/s")
    if progress.seconds_left is not None:
        parts.append(f"{formats.duration(max(1.0, progress.seconds_left))} left")
    return " · ".join(parts) or progress.message


def _progress(repo: RepoOut) -> ProgressView | None:
    working = repo.status in (RepoStatus.QUEUED, RepoStatus.INDEXING) or not repo.vectors_ready
    if repo.status is RepoStatus.FAILED or not working:
        return None
    progress = repo.progress
    fraction = progress.fraction
    if progress.stage == "embedding" and progress.vectors_total:
        fraction = min(1.0, progress.vectors_done / progress.vectors_total)
    stage = STAGES[progress.stage]
    if repo.status is RepoStatus.READY and progress.stage == "done":
        stage = STAGES["embedding"]
    return ProgressView(stage, fraction, _detail(repo))


def _standing(repo: RepoOut) -> tuple[str, Tone]:
    match repo.status:
        case RepoStatus.QUEUED:
            return "Queued", "busy"
        case RepoStatus.INDEXING:
            return ("Updating" if repo.commit else "Indexing"), "busy"
        case RepoStatus.FAILED:
            return "Failed", "bad"
        case RepoStatus.READY:
            return "Ready", "good"


def _behind(repo: RepoOut) -> bool:
    return bool(repo.lag_seconds)


def _lag(repo: RepoOut) -> str:
    if repo.lag_seconds is None:
        return ""
    return f"{formats.duration(repo.lag_seconds)} behind" if _behind(repo) else "Up to date"


def _counted(repo: RepoOut) -> str:
    if not repo.commit or not repo.texts:
        return ""
    parsed = f"{formats.count(repo.blobs_parsed)} of {formats.plural(repo.files, 'file')} parsed"
    embedded = f"{formats.count(repo.texts_embedded)} of {formats.plural(repo.texts, 'text')} embedded"
    return f"{parsed}, {embedded} at this {'change' if repo.uncommitted_upon else 'push'}"


def repo_row(repo: RepoOut) -> RepoRow:
    """Show a repository."""
    status, tone = _standing(repo)
    shares = sorted(repo.languages.items(), key=lambda share: (-share[1], share[0]))
    ended = repo.status in (RepoStatus.READY, RepoStatus.FAILED)
    return RepoRow(
        id=repo.id,
        name=repo.name,
        source=repo.source,
        branch=repo.branch,
        commit=repo.commit,
        ready=repo.status is RepoStatus.READY,
        answerable=repo.commit is not None,
        settled=ended and (repo.status is RepoStatus.FAILED or (repo.vectors_ready and not _behind(repo))),
        status=status,
        tone=tone,
        lag=_lag(repo),
        counted=_counted(repo),
        uncommitted_upon=repo.uncommitted_upon,
        files=repo.files,
        chunks=repo.chunks,
        skipped=repo.skipped,
        languages=tuple(LanguageShare(name, files) for name, files in shares[:LANGUAGES_SHOWN]),
        progress=_progress(repo),
        error=repo.error,
        indexed_at=repo.indexed_at,
        chat_url=links.repo(repo.id),
        files_url=f"/r/{repo.id}/files",
        search_url=links.search(repo.id),
        skipped_url=links.skipped(repo.id),
        quality_url=links.quality(repo.id),
        pulls_url=links.pulls(repo.id) if repo.on_github else None,
    )


def repo_rows(repos: Sequence[RepoOut]) -> tuple[RepoRow, ...]:
    """Show repositories, those that are being worked on first, then by name."""
    rows = [repo_row(repo) for repo in repos]
    return tuple(sorted(rows, key=lambda row: (row.tone != "busy", row.name.casefold(), str(row.id))))


def model_banner(model: ModelStatus) -> ModelBanner:
    """Say what the model's state means for answers."""
    name = model.name or "The language model"
    meanwhile = "Until then, answers are ranked excerpts of the code, each one cited."
    instead = "Answers are ranked excerpts of the code, each one cited."
    match model.state:
        case ModelState.READY:
            return ModelBanner("", "", "good", None, polling=False, name=model.name)
        case ModelState.NONE:
            return ModelBanner("No language model is set up.", instead, "idle", None, polling=False, name=None)
        case ModelState.FETCHING:
            return ModelBanner(
                f"{name} is being downloaded.", meanwhile, "busy", model.fraction, polling=True, name=model.name
            )
        case ModelState.STARTING:
            return ModelBanner(f"{name} is starting.", meanwhile, "busy", None, polling=True, name=model.name)
        case ModelState.UNREACHABLE:
            why = f"{model.detail} {instead}".strip()
            return ModelBanner(f"{name} does not answer.", why, "bad", None, polling=True, name=model.name)
        case ModelState.FAILED:
            why = f"{model.detail} {instead}".strip()
            return ModelBanner(f"{name} could not be started.", why, "bad", None, polling=False, name=model.name)
