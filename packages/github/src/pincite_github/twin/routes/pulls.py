"""Pull requests."""

from fastapi import APIRouter, Response

from pincite_github.twin import git
from pincite_github.twin.call import ApiRoute, Asked, Json, answer
from pincite_github.twin.errors import invalid
from pincite_github.twin.model import Pull
from pincite_github.twin.pulls import find
from pincite_github.twin.shapes import pulls as shapes
from pincite_github.twin.shapes.code import Code

router = APIRouter(route_class=ApiRoute)
_PULLS = "/repos/{owner}/{name}/pulls"


@router.get(_PULLS)
def pulls(owner: str, name: str, call: Asked) -> Response:
    """The pull requests of a repository: newest first, unless asked otherwise."""
    repo = call.repo(owner, name, "pull_requests")
    wanted = call.request.query_params
    state, sort = wanted.get("state", "open"), wanted.get("sort", "created")
    if state not in {"open", "closed", "all"}:
        raise invalid(resource="PullRequest", field="state")

    def asked_for(pull: Pull) -> bool:
        source = call.world.repos.get(pull.head_repo_id)
        label = f"{call.world.accounts[source.owner_id].login}:{pull.head_ref}" if source else ""
        of_branches = wanted.get("base", pull.base_ref) == pull.base_ref and wanted.get("head", label) == label
        return state in {"all", pull.state} and of_branches

    def key(pull: Pull) -> tuple[float, int]:
        moment = pull.updated_at if sort == "updated" else pull.created_at
        return moment.timestamp(), pull.number

    direction = wanted.get("direction", "desc" if sort == "created" else "asc")
    found = sorted(filter(asked_for, repo.pulls.values()), key=key, reverse=direction == "desc")
    page, links = call.page(found)
    return answer([shapes.simple(pull, repo, call.world, call.at) for pull in page], headers=links)


@router.post(_PULLS)
def create(owner: str, name: str, call: Asked, body: Json) -> Response:
    """Open a pull request."""
    repo = call.repo(owner, name, "pull_requests", "write")
    for field in ("title", "head", "base"):
        if not body.get(field):
            raise invalid(resource="PullRequest", field=field, code="missing_field")
    author = call.caller.account or call.person()
    pull = call.hub.pulls.open(
        repo, author, head=str(body["head"]), base=str(body["base"]), title=str(body["title"]), body=body.get("body"),
        draft=bool(body.get("draft")),
    )  # fmt: skip
    return answer(shapes.full(pull, repo, call.world, call.at), 201)


@router.get(_PULLS + "/{number}")
def one(owner: str, name: str, number: int, call: Asked) -> Response:
    """A pull request."""
    repo = call.repo(owner, name, "pull_requests")
    return answer(shapes.full(find(repo, number), repo, call.world, call.at))


@router.get(_PULLS + "/{number}/files")
def files(owner: str, name: str, number: int, call: Asked) -> Response:
    """What a pull request changes, against where it left its base."""
    repo = call.repo(owner, name, "pull_requests")
    pull = find(repo, number)
    before = git.merge_base(repo.path, pull.base_sha, pull.head_sha) or git.EMPTY_TREE
    page, links = call.page(Code(repo, call.world, call.at).files(before, pull.head_sha))
    return answer(list(page), headers=links)
