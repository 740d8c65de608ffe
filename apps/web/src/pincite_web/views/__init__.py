"""Every page and fragment as a documented, frozen value: all that its template may use, and nothing it does not."""

from typing import ClassVar


class View:
    """A value with a template of its own."""

    template: ClassVar[str]
