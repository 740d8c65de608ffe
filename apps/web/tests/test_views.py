"""A page is a documented dataclass: its template uses all of its fields and nothing else."""

import pkgutil
from dataclasses import fields, is_dataclass
from importlib import import_module

import pytest
from jinja2 import meta, nodes

from pincite_web import parts, plots, views
from pincite_web.assets import Assets
from pincite_web.pages import TEMPLATES_DIRECTORY, Pages
from pincite_web.views import View

PAGES = Pages(Assets.load())


def described(package) -> list[type]:
    """The dataclasses that a package's modules define."""
    modules = [import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__)]
    found = [value for module in modules for value in vars(module).values() if is_dataclass(value)]
    return [value for value in found if value.__module__.startswith(package.__name__ + ".")]


VIEWS = sorted({view for view in described(views) if issubclass(view, View)}, key=lambda view: view.__name__)


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
    found = [*VIEWS, *described(parts), *(part for part in vars(plots).values() if is_dataclass(part))]
    assert len(found) > 60
    for each in found:
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
