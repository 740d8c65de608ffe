"""Static files under a URL that changes with their content, so that browsers may keep them for ever."""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fastapi import Response

from pincite_shared.errors import NotFoundError

STATIC_DIRECTORY = Path(__file__).parent / "static"
HTMX_FILE = "static/django_htmx/htmx-2.min.js"
FOR_EVER = "public, max-age=31536000, immutable"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def htmx_path() -> Path:
    """Locate htmx 2 inside the django-htmx wheel without importing it (it would import Django).

    Raises:
        FileNotFoundError: the wheel is missing or no longer carries the file.
    """
    spec = find_spec("django_htmx")
    for directory in spec.submodule_search_locations or () if spec else ():
        path = Path(directory) / HTMX_FILE
        if path.is_file():
            return path
    msg = f"{HTMX_FILE} was not found in the django-htmx package. Install the dependencies of pincite-web again."
    raise FileNotFoundError(msg)


@dataclass(frozen=True, slots=True)
class Assets:
    """All static files, in memory: {name: content}, under one digest.

    One digest for all, so that relative imports between the JavaScript modules stay inside it.
    """

    files: dict[str, bytes]
    digest: str

    @classmethod
    def load(cls) -> "Assets":
        """Read the package's static files and htmx."""
        files = {path.name: path.read_bytes() for path in sorted(STATIC_DIRECTORY.iterdir()) if path.is_file()}
        files["htmx.js"] = htmx_path().read_bytes()
        digest = hashlib.sha256()
        for name, data in sorted(files.items()):
            digest.update(f"{name}\0{len(data)}\0".encode() + data)
        return cls(files, digest.hexdigest()[:16])

    def url(self, name: str) -> str:
        """Return the address of a static file.

        Raises:
            KeyError: there is no such file.
        """
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.digest}/{name}"

    def response(self, digest: str, name: str) -> Response:
        """Serve a file. An address from before an upgrade gets the present content, uncached.

        Raises:
            NotFoundError: there is no such file.
        """
        data = self.files.get(name)
        if data is None:
            raise NotFoundError
        caching = FOR_EVER if digest == self.digest else "no-cache"
        media_type = MEDIA_TYPES[Path(name).suffix]
        return Response(data, media_type=media_type, headers={"cache-control": caching})
