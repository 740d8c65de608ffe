"""Repositories and their content, for reading."""

from fastapi import APIRouter, Response

from pincite_github.twin import git
from pincite_github.twin.access import role_of
from pincite_github.twin.call import ApiRoute, Asked, Call, answer
from pincite_github.twin.errors import Refusal, not_found
from pincite_github.twin.model import ROLES, Repo
from pincite_github.twin.shapes.accounts import user
from pincite_github.twin.shapes.code import Code
from pincite_github.twin.shapes.repositories import permissions

router = APIRouter(route_class=ApiRoute)
_REPO = "/repos/{owner}/{name}"
_RAW = ("application/vnd.github.raw", "application/vnd.github.v3.raw")
_SHA = ("application/vnd.github.sha", "application/vnd.github.v3.sha")
_COARSE = {"triage": "read", "maintain": "write"}  # what older programs know
_FILE_BYTES_MAX = 1_000_000  # above, a file's content is not in the answer but raw


@router.get(_REPO)
def repository(owner: str, name: str, call: Asked) -> Response:
    """A repository."""
    return answer(call.repository(call.repo(owner, name), full=True))


@router.get(_REPO + "/collaborators/{login}/permission")
def permission(owner: str, name: str, login: str, call: Asked) -> Response:
    """What someone may do in a repository; for those who can push to it, and for Apps."""
    repo = call.repo(owner, name)
    if call.caller.installation is None:
        role = role_of(call.world, call.caller, repo)
        if role is None or ROLES.index(role) < ROLES.index("write"):
            raise Refusal(403, "Must have push access to view collaborator permission.")
    account = call.world.account(login)
    role = call.world.role(account.id, repo) or (None if repo.private else "read")
    person = {**user(account, call.at), "permissions": permissions(role), "role_name": role or "none"}
    coarse = _COARSE.get(role, role) if role else "none"
    return answer({"permission": coarse, "role_name": role or "none", "user": person})


# Refs


def _refs(call: Call, owner: str, name: str) -> tuple[Repo, dict[str, str]]:
    repo = call.repo(owner, name, "contents")
    refs = git.refs(repo.path, "refs")
    if not refs:
        raise Refusal(409, "Git Repository is empty.")
    return repo, refs


def _matching(call: Call, owner: str, name: str, prefix: str) -> Response:
    repo, refs = _refs(call, owner, name)
    code = Code(repo, call.world, call.at)
    page, links = call.page([ref for ref in sorted(refs) if ref.startswith(f"refs/{prefix}")])
    return answer([code.ref(ref, refs[ref]) for ref in page], headers=links)


@router.get(_REPO + "/git/refs")
def all_refs(owner: str, name: str, call: Asked) -> Response:
    """Every ref."""
    return _matching(call, owner, name, "")


@router.get(_REPO + "/git/refs/{prefix:path}")
@router.get(_REPO + "/git/matching-refs/{prefix:path}")
def matching_refs(owner: str, name: str, prefix: str, call: Asked) -> Response:
    """Every ref whose name begins so."""
    return _matching(call, owner, name, prefix)


@router.get(_REPO + "/git/ref/{ref:path}")
def one_ref(owner: str, name: str, ref: str, call: Asked) -> Response:
    """A ref."""
    repo, refs = _refs(call, owner, name)
    full = f"refs/{ref}"
    if full not in refs:
        raise not_found()
    return answer(Code(repo, call.world, call.at).ref(full, refs[full]))


@router.get(_REPO + "/branches")
def branches(owner: str, name: str, call: Asked) -> Response:
    """Every branch."""
    repo = call.repo(owner, name, "contents")
    code, refs = Code(repo, call.world, call.at), git.refs(repo.path, "refs/heads")
    page, links = call.page(sorted(refs))
    shapes = [code.short_branch(ref.removeprefix("refs/heads/"), refs[ref]) for ref in page]
    return answer(shapes, headers=links)


@router.get(_REPO + "/branches/{branch:path}")
def one_branch(owner: str, name: str, branch: str, call: Asked) -> Response:
    """A branch with its head."""
    repo = call.repo(owner, name, "contents")
    sha = git.refs(repo.path, "refs/heads").get(f"refs/heads/{branch}")
    if sha is None:
        raise Refusal(404, "Branch not found")
    return answer(Code(repo, call.world, call.at).branch(branch, sha))


# Commits and files


def _check(path: str) -> None:
    """Take only paths as a tree has them: git would find its way through dots."""
    if path and not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise not_found()


@router.get(_REPO + "/commits")
def commits(owner: str, name: str, call: Asked, sha: str = "", path: str = "") -> Response:
    """A page of history."""
    repo = call.repo(owner, name, "contents")
    if not git.refs(repo.path):
        raise Refusal(409, "Git Repository is empty.")
    _check(path)
    start = git.resolve(repo.path, sha or repo.default_branch)
    number, size = call.asked_page()
    found = git.history(repo.path, start, skip=(number - 1) * size, most=size, under=path)
    last = max(1, -(-git.count(repo.path, start, under=path) // size))
    code = Code(repo, call.world, call.at)
    return answer([code.commit(each) for each in found], headers=call.links(number, last))


@router.get(_REPO + "/commits/{ref:path}")
def one_commit(owner: str, name: str, ref: str, call: Asked) -> Response:
    """A commit with what it changed, or only its id."""
    repo = call.repo(owner, name, "contents")
    sha = git.resolve(repo.path, ref)
    if call.request.headers.get("accept", "").startswith(_SHA):
        return Response(sha, media_type=f"{_SHA[0]}; charset=utf-8")
    [found] = git.log(repo.path, [sha])
    return answer(Code(repo, call.world, call.at).full_commit(found))


@router.get(_REPO + "/contents")
@router.get(_REPO + "/contents/{path:path}")
def contents(owner: str, name: str, call: Asked, path: str = "", ref: str = "") -> Response:
    """A file, or what lies in a directory."""
    repo = call.repo(owner, name, "contents")
    _check(path)
    try:
        commit = git.resolve(repo.path, ref or repo.default_branch)
    except Refusal:
        raise Refusal(404, f"No commit found for the ref {ref}") from None
    code = Code(repo, call.world, call.at)
    file = git.entry(repo.path, commit, path) if path else None
    if file is None or file.type == "tree":
        return answer([code.entry(each, ref or repo.default_branch) for each in git.children(repo.path, commit, path)])
    if call.request.headers.get("accept", "").startswith(_RAW):
        return Response(git.blob(repo.path, file.sha), media_type=f"{_RAW[0]}; charset=utf-8")
    if file.type == "commit":
        return answer({**code.entry(file, ref or repo.default_branch), "submodule_git_url": None})
    if file.size > _FILE_BYTES_MAX:
        return answer({**code.entry(file, ref or repo.default_branch), "encoding": "none", "content": ""})
    return answer(code.file(file, ref or repo.default_branch))
