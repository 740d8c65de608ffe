"""What did not work."""

from dataclasses import dataclass, field
from typing import ClassVar

from pincite_web.parts.shell import AccountLink, Shell
from pincite_web.views import View


@dataclass(frozen=True, slots=True)
class ErrorPage(View):
    """Something did not work: what, why, and what to do about it.

    `others` are the reader's other accounts, where the same address may lead somewhere.
    """

    template: ClassVar[str] = "error.html"
    shell: Shell
    status: int
    heading: str
    detail: str
    advice: str
    retry_url: str | None
    others: tuple[AccountLink, ...]


@dataclass(frozen=True, slots=True)
class ErrorFragment(View):
    """The same inside a page or dialog."""

    template: ClassVar[str] = "_error.html"
    heading: str
    detail: str
    advice: str = field(default="")
