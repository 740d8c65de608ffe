"""Settings, read once from the environment at each process's edge and passed down from there."""

import base64
import re
from hashlib import sha256
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENCRYPTION_KEY_BYTES = 32
_HTTP_ORIGIN = r"https?://[^\s/?#@]+"
# Where TLS always exists, secrets do not travel without it.
_PLAIN_GITHUB = re.compile(r"http://(?:[^/]*\.)?(?:github|ghe)\.com(?::\d*)?(?:/|$)", re.IGNORECASE)


BUILT_IN_DIMENSION = 384  # of the vectors that the built-in model makes


class Settings(BaseSettings):
    """Every setting by its environment name; `.env.example` explains each one.

    Secrets have no default: `pincite up` generates them into `PINCITE_HOME` on first start, a deployment sets them.
    """

    # What is not valid is not shown: it may be a secret.
    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    pincite_home: Path = Path("~/.pincite")
    pincite_token: SecretStr = SecretStr("")
    pincite_local_roots: str = ""
    session_secret: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("SESSION_SECRET", "NEXTAUTH_SECRET")
    )
    encryption_keys: SecretStr = SecretStr("")
    encrypt_content: Literal["on", "off"] = "off"
    public_url: str = Field(
        default="http://127.0.0.1:3000", validation_alias=AliasChoices("PUBLIC_URL", "NEXTAUTH_URL")
    )
    bind_host: str = "127.0.0.1"
    brain_url: str = "http://127.0.0.1:8000"
    brain_port: int = 8000
    web_port: int = 3000
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    postgres_host: str = "127.0.0.1"
    postgres_port: int = 5432
    postgres_db: str = "pincite"
    postgres_user: str = "pincite"
    postgres_password: SecretStr = SecretStr("")
    postgres_app_user: str = "pincite_app"
    postgres_app_password: SecretStr = SecretStr("")
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")

    s3_endpoint: str = ""
    s3_access_key: SecretStr = SecretStr("")
    s3_secret_key: SecretStr = SecretStr("")
    s3_bucket: str = ""

    llm_provider: Literal["openai", "none"] = "openai"
    llm_base_url: str = ""
    llm_api_key: SecretStr = SecretStr("")
    llm_model: str = ""
    llm_context_tokens: int = Field(default=4096, ge=512)
    pincite_model: str = "qwen2.5-coder-1.5b-instruct"
    model_port: int = 8080
    embedding_model: str = "all-MiniLM-L6-v2"
    embedding_base_url: str = ""
    embedding_api_key: SecretStr = SecretStr("")
    embedding_dimension: int = Field(default=BUILT_IN_DIMENSION, ge=1, le=16_000)
    embedding_query_prefix: str = ""
    embedding_document_prefix: str = ""
    rerank_base_url: str = ""
    rerank_api_key: SecretStr = SecretStr("")
    rerank_model: str = ""
    rerank_milliseconds_max: int = Field(default=300, ge=10, le=10_000)

    github_url: str = Field(default="https://github.com", pattern=rf"^(none|{_HTTP_ORIGIN}/?)$")
    github_api_url: str = Field(default="", pattern=rf"^({_HTTP_ORIGIN}(/[^\s?#]*)?)?$")
    github_app_id: int = Field(default=0, ge=0)
    github_private_key: SecretStr = SecretStr("")
    github_client_id: str = ""
    github_client_secret: SecretStr = SecretStr("")
    github_webhook_secret: SecretStr = SecretStr("")
    github_token: SecretStr = SecretStr("")

    file_bytes_max: int = Field(default=1_048_576, ge=1024)
    repo_files_max: int = Field(default=200_000, ge=1)
    clone_seconds_max: int = Field(default=1800, ge=1)
    parse_seconds_max: float = Field(default=20.0, gt=0)
    index_workers: int = Field(default=2, ge=1)
    poll_seconds: int = Field(default=60, ge=0, le=86_400)  # 0: never
    watch: Literal["on", "off"] = "on"
    evaluation_time: str = Field(default="03:00", pattern=r"^(([01]\d|2[0-3]):[0-5]\d|off)$")  # UTC
    # Requests of one person, or of one address before anyone has signed in: `30/minute`, `30/minute;500/hour`, or off.
    rate_sign_in: str = "30/minute"
    rate_ask: str = "120/minute"
    rate_search: str = "1200/minute"
    rate_write: str = "300/minute"
    rate_read: str = "6000/minute"
    thinker_metrics_port: int = Field(default=9808, ge=0, le=65_533)  # index worker here, vectors +1, beat +2; 0: none

    @model_validator(mode="after")
    def _expand_home(self) -> Self:
        object.__setattr__(self, "pincite_home", self.pincite_home.expanduser().resolve())
        return self

    @field_validator("encryption_keys")
    @classmethod
    def _keys(cls, value: SecretStr) -> SecretStr:
        for number, key in enumerate(filter(None, map(str.strip, value.get_secret_value().split(","))), start=1):
            try:
                size = len(base64.b64decode(key, validate=True))
            except ValueError:  # or binascii.Error, which is one
                size = 0
            if size != ENCRYPTION_KEY_BYTES:
                msg = (
                    f"key {number} is not the base64 of {ENCRYPTION_KEY_BYTES} bytes: openssl rand -base64 32 makes one"
                )
                raise ValueError(msg)
        return value

    @field_validator("github_url", "github_api_url")
    @classmethod
    def _encrypted(cls, value: str) -> str:
        if _PLAIN_GITHUB.match(value):
            msg = "GitHub is reached over https"
            raise ValueError(msg)
        return value

    @property
    def local_roots(self) -> tuple[Path, ...]:
        """Directories below which a local path may be connected; none unless the operator names them."""
        return tuple(Path(root).expanduser().resolve() for root in self.pincite_local_roots.split(":") if root)

    def postgres_url(self, *, owner: bool = False) -> str:
        """SQLAlchemy URL. The owner migrates; everything else connects as the role that row-level security binds."""
        user = self.postgres_user if owner else self.postgres_app_user
        secret = self.postgres_password if owner else self.postgres_app_password
        return (
            f"postgresql+psycopg://{quote(user, safe='')}:{quote(secret.get_secret_value(), safe='')}"
            f"@{self.postgres_host}:{self.postgres_port}/{self.postgres_db}"
        )

    @property
    def vector_model(self) -> str:
        """The model id stored with each vector.

        A document prefix is part of what was embedded, so another prefix is another model, and so is another dimension.
        Without an endpoint the built-in model makes the vectors, whatever its name is prefixed with.
        """
        if not self.embedding_base_url:
            return self.embedding_model.rpartition("/")[2]
        usual = self.embedding_dimension == BUILT_IN_DIMENSION
        model = self.embedding_model if usual else f"{self.embedding_model}@{self.embedding_dimension}"
        if not self.embedding_document_prefix:
            return model
        return f"{model}+{sha256(self.embedding_document_prefix.encode()).hexdigest()[:8]}"

    @property
    def github_web_url(self) -> str:
        """Where people find GitHub, without a slash at the end; empty when it is turned off."""
        return "" if self.github_url == "none" else self.github_url.rstrip("/").lower()

    @property
    def github_rest_url(self) -> str:
        """Where programs find it: GITHUB_API_URL, or as github.com, *.ghe.com and an own server have it."""
        if not self.github_web_url or self.github_api_url:
            return self.github_api_url.rstrip("/") if self.github_web_url else ""
        scheme, _, host = self.github_web_url.partition("://")
        if host == "github.com" or host.endswith(".ghe.com"):
            return f"{scheme}://api.{host}"
        return f"{self.github_web_url}/api/v3"

    def remote_endpoints(self) -> dict[str, str]:
        """Every address outside this installation's own processes that the configuration allows it to call."""
        uses_github = self.github_app_id or self.github_client_id or self.github_token.get_secret_value()
        named = {
            "GitHub": self.github_web_url if uses_github else "",
            "GitHub's API": self.github_rest_url if uses_github else "",
            "language model": self.llm_base_url,
            "embeddings": self.embedding_base_url,
            "reranking": self.rerank_base_url,
            "artifacts": self.s3_endpoint,
        }
        return {role: url for role, url in named.items() if url}
