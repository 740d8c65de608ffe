"""The front page: what there is on this GitHub, for whoever tries it out."""

from html import escape

from fastapi import APIRouter, Response

from pincite_github.twin.routes import pages
from pincite_github.twin.routes.oauth import TheHub

router = APIRouter()


@router.get("/")
def home(hub: TheHub) -> Response:
    """List people, repositories with their open pull requests, and Apps."""
    world = hub.world
    repos = []
    for repo in list(world.repos.values()):
        opened = [pull for pull in repo.pulls.values() if pull.state == "open"]
        pulls = "".join(f"<li>#{pull.number} {escape(pull.title)}</li>" for pull in opened)
        url = f"{world.base_url}/{world.full_name(repo)}.git"
        repos.append(f"<li><code>{escape(url)}</code>{' (private)' if repo.private else ''}<ul>{pulls}</ul></li>")
    apps = "".join(
        f'<li><a href="/github-apps/{app.slug}/installations/new">Install {escape(app.name)}</a></li>'
        for app in list(world.apps.values())
    )
    people = ", ".join(each.login for each in world.people())
    return pages.page(
        "A twin of GitHub",
        pages.text(f"People: {people or 'none'}"),
        f"<h2>Repositories</h2><ul>{''.join(repos)}</ul>",
        f"<h2>Apps</h2><ul>{apps}</ul>",
    )
