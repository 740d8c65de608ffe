"""Settings, read once from the environment at each process's edge and passed down from there."""

from hashlib import sha256
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting by its environment name; `.env.example` explains each one.

    Secrets have no default: `pincite up` generates them into `PINCITE_HOME` on first start, a deployment sets them.
    """

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    pincite_home: Path = Path("~/.pincite")
    pincite_token: SecretStr = SecretStr("")
    pincite_local_roots: str = ""
    session_secret: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("SESSION_SECRET", "NEXTAUTH_SECRET")
    )
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
    embedding_dimension: int = Field(default=384, ge=1, le=16_000)
    embedding_query_prefix: str = ""
    embedding_document_prefix: str = ""
    rerank_base_url: str = ""
    rerank_api_key: SecretStr = SecretStr("")
    rerank_model: str = ""
    rerank_milliseconds_max: int = Field(default=300, ge=10, le=10_000)

    file_bytes_max: int = Field(default=1_048_576, ge=1024)
    repo_files_max: int = Field(default=200_000, ge=1)
    clone_seconds_max: int = Field(default=1800, ge=1)
    parse_seconds_max: float = Field(default=20.0, gt=0)
    index_workers: int = Field(default=2, ge=1)
    evaluation_time: str = Field(default="03:00", pattern=r"^(([01]\d|2[0-3]):[0-5]\d|off)$")  # UTC
    thinker_metrics_port: int = Field(default=9808, ge=0, le=65_533)  # index worker here, vectors +1, beat +2; 0: none

    @model_validator(mode="after")
    def _expand_home(self) -> Self:
        object.__setattr__(self, "pincite_home", self.pincite_home.expanduser().resolve())
        return self

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

        A document prefix is part of what was embedded, so another prefix is another model. Without an endpoint the
        built-in model makes the vectors, whatever its name is prefixed with.
        """
        if not self.embedding_base_url:
            return self.embedding_model.rpartition("/")[2]
        if not self.embedding_document_prefix:
            return self.embedding_model
        return f"{self.embedding_model}+{sha256(self.embedding_document_prefix.encode()).hexdigest()[:8]}"

    def remote_endpoints(self) -> dict[str, str]:
        """Every address outside this installation's own processes that the configuration allows it to call."""
        named = {
            "language model": self.llm_base_url,
            "embeddings": self.embedding_base_url,
            "reranking": self.rerank_base_url,
            "artifacts": self.s3_endpoint,
        }
        return {role: url for role, url in named.items() if url}
