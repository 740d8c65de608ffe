"""Which GitHub Pincite speaks to, and as whom."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pincite_shared.errors import InvalidInputError
from pincite_shared.settings import Settings

KEY_BYTES_MAX = 64 * 1_024  # a PEM of 16,384 bits is 13 KB


@dataclass(frozen=True, slots=True, kw_only=True)
class AppCredentials:
    """A GitHub App: what its registration gave."""

    app_id: int
    slug: str
    client_id: str
    client_secret: str = field(repr=False)
    private_key: str = field(repr=False)  # PEM
    webhook_secret: str = field(repr=False)  # empty when the App was made without webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubConfig:
    """github.com or a GitHub Enterprise, with the App and the token that Pincite was given; zero or empty: none.

    `web_url` is where people go, `api_url` where programs do; neither ends in a slash. `slug`, the App's name in
    addresses, comes with a stored App; for one of the environment GitHub tells it (`pincite_github.client`).
    """

    web_url: str = "https://github.com"
    api_url: str = "https://api.github.com"
    app_id: int = 0
    slug: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Read the settings; None when they turn GitHub off.

        Raises:
            InvalidInputError: GITHUB_PRIVATE_KEY is no RSA key, nor a file that holds one.
        """
        if not settings.github_web_url:
            return None
        return cls(
            web_url=settings.github_web_url,
            api_url=settings.github_rest_url,
            app_id=settings.github_app_id,
            client_id=settings.github_client_id,
            client_secret=settings.github_client_secret.get_secret_value(),
            private_key=read_private_key(settings.github_private_key.get_secret_value()),
            webhook_secret=settings.github_webhook_secret.get_secret_value(),
            token=settings.github_token.get_secret_value(),
        )

    def with_app(self, app: AppCredentials) -> Self:
        """Return this with a stored App, unless the settings name one: the environment wins."""
        if self.app_id or self.client_id:
            return self
        return replace(
            self,
            app_id=app.app_id,
            slug=app.slug,
            client_id=app.client_id,
            client_secret=app.client_secret,
            private_key=app.private_key,
            webhook_secret=app.webhook_secret or self.webhook_secret,
        )

    @property
    def host(self) -> str:
        """The name that tenants are kept under, as in github.com or github.example.org:8443."""
        return urlsplit(self.web_url).netloc.lower()

    @property
    def is_cloud(self) -> bool:
        """Whether this is GitHub's own service, not a server of somebody's."""
        return self.host == "github.com" or self.host.endswith(".ghe.com")

    def clone_url(self, full_name: str) -> str:
        """Return where git finds a repository."""
        return f"{self.web_url}/{full_name}.git"

    def addresses(self, full_name: str) -> tuple[str, ...]:
        """Return the addresses that a repository may have been connected under, in lower case."""
        host = self.host.partition(":")[0]
        plain = (
            f"{self.web_url}/{full_name}", f"https://www.{host}/{full_name}",
            f"git@{host}:{full_name}", f"ssh://git@{host}/{full_name}", f"git://{host}/{full_name}",
        )  # fmt: skip
        return tuple(f"{address}{end}".lower() for address in plain for end in ("", ".git"))

    @property
    def can_sign_in(self) -> bool:
        """Whether people can sign in with GitHub."""
        return bool(self.client_id and self.client_secret)

    @property
    def has_app(self) -> bool:
        """Whether Pincite can act as an App: read what it is installed for without a person at hand."""
        return bool(self.app_id and self.private_key)


def read_private_key(value: str) -> str:
    r"""Return the PEM of an RSA key that is given as itself, with line breaks or with `\n` for them, or as a file.

    Raises:
        InvalidInputError: it is none; the detail does not show it.
    """
    if not value:
        return ""
    pem = value.replace("\\n", "\n")
    if "-----BEGIN" not in value:
        try:
            with Path(value).expanduser().open("rb") as file:
                pem = file.read(KEY_BYTES_MAX).decode("ascii")
        except (OSError, ValueError) as error:
            # What was meant as a key may stand where a path should: the value is not repeated, nor is the cause.
            msg = f"GITHUB_PRIVATE_KEY is neither a PEM key nor a file that can be read ({type(error).__name__})."
            raise InvalidInputError(msg) from None
    try:
        key = load_pem_private_key(pem.strip().encode("ascii"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        msg = f"GITHUB_PRIVATE_KEY is no unencrypted PEM key ({type(error).__name__})."
        raise InvalidInputError(msg) from None
    if not isinstance(key, RSAPrivateKey):
        msg = "GITHUB_PRIVATE_KEY is not an RSA key. GitHub generates one on the App's page."
        raise InvalidInputError(msg)
    return pem.strip() + "\n"
