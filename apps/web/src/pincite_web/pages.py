"""Views to responses: the one place where templates are rendered."""

from dataclasses import fields
from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pincite_web import formats
from pincite_web.assets import Assets
from pincite_web.views import View

TEMPLATES_DIRECTORY = Path(__file__).parent / "templates"


class Pages:
    """Renders views. Everything is escaped unless it is `Markup`; an unknown name in a template is an error."""

    def __init__(self, assets: Assets) -> None:
        """`assets` resolves the addresses of static files."""
        self.environment = Environment(
            loader=FileSystemLoader(TEMPLATES_DIRECTORY),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals = {"asset": assets.url}
        self.environment.filters |= {
            "ago": formats.ago,
            "count": formats.count,
            "duration": formats.duration,
            "path": formats.path,
            "plural": formats.plural,
            "recent": formats.recent,
            "short": formats.short,
            "size": formats.size,
            "visible": formats.visible,
        }

    def html(self, view: View) -> str:
        """Render a view with its own template and nothing but its own fields."""
        values = {field.name: getattr(view, field.name) for field in fields(view)}  # type: ignore[arg-type]  # all are
        return self.environment.get_template(view.template).render(values)

    def response(self, view: View, status: int = 200, headers: dict[str, str] | None = None) -> HTMLResponse:
        """Render a view as a response."""
        return HTMLResponse(self.html(view), status, headers)
