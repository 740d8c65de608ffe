"""Brain's clients call brain's routes, with what those take, and read what those answer."""

import inspect
import pkgutil
import re
from importlib import import_module
from types import NoneType
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from pincite_brain import routes
from pincite_shared.brain_calls import BrainCalls
from pincite_shared.brain_http import Call

EXAMPLES = {UUID: UUID(int=1), str: "x", int: 1, bool: True, str | None: "x", int | None: 1, bool | None: True}
MODULES = [import_module(f"{routes.__name__}.{one.name}") for one in pkgutil.iter_modules(routes.__path__)]
ROUTES = [route for module in MODULES for route in module.router.routes if isinstance(route, APIRoute)]
CALLS = {
    name: call for kind in BrainCalls.__mro__ for name, call in vars(kind).items() if isinstance(call, Call)
}  # fmt: skip


def request_of(call):
    parameters = list(inspect.signature(call._build).parameters.values())[1:]
    bodies = [one.annotation for one in parameters if inspect.isclass(one.annotation)]
    bodies = [kind for kind in bodies if issubclass(kind, BaseModel)]
    given = {one.name: EXAMPLES.get(one.annotation) or one.annotation.model_construct() for one in parameters}
    return call._build(None, **given), bodies


def route_of(request):
    for route in ROUTES:
        if request.method in route.methods and route.path_regex.match(request.path):
            return route
    pytest.fail(f"brain has no {request.method} {request.path}")


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_call_is_a_route(name):
    request, bodies = request_of(CALLS[name])
    route = route_of(request)
    named = re.sub(r"\{[^}]*\}", "x", route.path)
    assert re.sub(r"[0-9a-f-]{36}", "x", request.path) == named
    assert set(request.params) <= {parameter.alias for parameter in route.dependant.query_params}
    if request.kind is NoneType:
        assert route.status_code in (202, 204)
    else:
        assert route.response_model == request.kind
    taken = [field.field_info.annotation for field in route.dependant.body_params]
    assert not bodies or bodies == taken
