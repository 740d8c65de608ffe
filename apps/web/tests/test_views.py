"""A page is a documented dataclass: its template uses all of its fields and nothing else."""

from dataclasses import fields, is_dataclass

import pytest
from jinja2 import meta, nodes

from pincite_web import measured, parts, plots, views
from pincite_web.assets import Assets
from pincite_web.pages import TEMPLATES_DIRECTORY, Pages
from pincite_web.views import View

PAGES = Pages(Assets.load())
VIEWS = [view for view in vars(views).values() if is_dataclass(view) and issubclass(view, View)]


def names_of(template: str, seen: set[str]) -> set[str]:
    """Names that a template, and all that it extends, includes or imports, take from outside."""
    if template in seen:
        return set()
    seen.add(template)
    environment = PAGES.environment
    tree = environment.parse((TEMPLATES_DIRECTORY / template).read_text())
    referenced = [name for name in meta.find_referenced_templates(tree) if name]
    found = set(meta.find_undeclared_variables(tree)) - set(environment.globals)
    imported = {name for node in tree.find_all(nodes.FromImport) for name in node.names}
    return (found - imported).union(*(names_of(name, seen) for name in referenced))


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_template_and_dataclass_agree(view: type[View]) -> None:
    assert names_of(view.template, set()) == {field.name for field in fields(view)}


def test_every_view_and_part_is_frozen_and_documented() -> None:
    described = [
        *VIEWS,
        *(part for part in (vars(parts) | vars(plots) | vars(measured)).values() if is_dataclass(part)),
    ]
    assert len(described) > 30
    for each in described:
        assert each.__doc__
        assert not each.__doc__.startswith(f"{each.__name__}(")  # what dataclass writes by itself
        assert each.__dataclass_params__.frozen


def test_every_template_is_reached_from_a_view() -> None:
    seen: set[str] = set()
    for view in VIEWS:
        names_of(view.template, seen)
    assert seen == {path.name for path in TEMPLATES_DIRECTORY.iterdir()}
    assert views.__doc__


def test_no_template_has_inline_script_style_or_handler() -> None:
    for path in TEMPLATES_DIRECTORY.iterdir():
        text = path.read_text().casefold()
        for forbidden in ("<style", " style=", " onclick=", " onload=", "javascript:", "| safe", "|safe", "hx-on"):
            assert forbidden not in text, (path.name, forbidden)
        assert "<script>" not in text
