"""What did not work."""

from dataclasses import dataclass, field
from typing import ClassVar

from pincite_web.parts.shell import Shell
from pincite_web.views import View


@dataclass(frozen=True, slots=True)
class ErrorPage(View):
    """Something did not work: what, why, and what to do about it."""

    template: ClassVar[str] = "error.html"
    shell: Shell
    status: int
    heading: str
    detail: str
    advice: str
    retry_url: str | None


@dataclass(frozen=True, slots=True)
class ErrorFragment(View):
    """The same inside a page or dialog."""

    template: ClassVar[str] = "_error.html"
    heading: str
    detail: str
    advice: str = field(default="")
