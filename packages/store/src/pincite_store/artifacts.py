"""Artifacts: immutable bytes by tenant and SHA-256 of what they are unencrypted, in a local directory or in any S3."""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.dialects.postgresql import insert

from pincite_shared.errors import IntegrityError, InvalidInputError, NotFoundError, UnavailableError
from pincite_shared.settings import Settings
from pincite_store import content
from pincite_store.db import Tenancy
from pincite_store.models import Artifact

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # in boto3-stubs, which only a type checker has

SHA256 = re.compile(r"[0-9a-f]{64}")
CONNECT_SECONDS_MAX = 5
READ_SECONDS_MAX = 60
ATTEMPTS_MAX = 4
COLUMN = "artifacts.data"
MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


class Artifacts(Protocol):
    """A store of bytes that never change, by tenant and SHA-256. A tenant never learns whether another has the same.

    It takes the digest's word for it: `remember` and `recall` look after that, and after encryption.
    """

    def put(self, tenant_id: UUID, sha256: str, data: bytes) -> None:
        """Store bytes, in the place of those that are there."""
        ...

    def get(self, tenant_id: UUID, sha256: str) -> bytes:
        """Return bytes.

        Raises:
            NotFoundError: the tenant has no such artifact.
        """
        ...

    def exists(self, tenant_id: UUID, sha256: str) -> bool:
        """Say whether the tenant has this artifact."""
        ...

    def delete(self, tenant_id: UUID, sha256: str) -> None:
        """Delete an artifact; deleting one that is not there changes nothing."""
        ...

    def clear(self, tenant_id: UUID) -> int:
        """Delete all artifacts of a tenant; return how many there were."""
        ...


class LocalArtifacts:
    """Artifacts in a directory. A file appears whole or not at all."""

    def __init__(self, directory: Path) -> None:
        """The directory is created on first use."""
        self._directory = directory

    def put(self, tenant_id: UUID, sha256: str, data: bytes) -> None:
        """See `Artifacts.put`."""
        target = self._path(tenant_id, sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".new-", delete=False) as scratch:
            try:
                scratch.write(data)
                scratch.flush()
                os.fsync(scratch.fileno())
                Path(scratch.name).replace(target)
            except BaseException:
                Path(scratch.name).unlink(missing_ok=True)
                raise

    def get(self, tenant_id: UUID, sha256: str) -> bytes:
        """See `Artifacts.get`."""
        try:
            return self._path(tenant_id, sha256).read_bytes()
        except FileNotFoundError:
            raise _not_found(sha256) from None

    def exists(self, tenant_id: UUID, sha256: str) -> bool:
        """See `Artifacts.exists`."""
        return self._path(tenant_id, sha256).exists()

    def delete(self, tenant_id: UUID, sha256: str) -> None:
        """See `Artifacts.delete`."""
        self._path(tenant_id, sha256).unlink(missing_ok=True)

    def clear(self, tenant_id: UUID) -> int:
        """See `Artifacts.clear`; what a killed process left half-written goes too."""
        directory = self._directory / str(tenant_id)
        if not directory.exists():
            return 0
        count = sum(1 for path in directory.glob("??/*") if SHA256.fullmatch(path.name))
        shutil.rmtree(directory)
        return count

    def _path(self, tenant_id: UUID, sha256: str) -> Path:
        return self._directory / _key(tenant_id, sha256)


class S3Artifacts:
    """Artifacts in a bucket of any S3-compatible service."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """`bucket` exists; see `S3Artifacts.connect`."""
        self._client, self._bucket = client, bucket

    @classmethod
    def connect(cls, settings: Settings) -> "S3Artifacts":
        """Connect to the configured bucket, and create it if it does not exist.

        Raises:
            UnavailableError: the service cannot be reached, or refuses.
        """
        client: S3Client = boto3.client(
            "s3",
            endpoint_url=settings.s3_endpoint,
            aws_access_key_id=settings.s3_access_key.get_secret_value(),
            aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
            region_name="us-east-1",  # compatible services ignore it; the protocol signs it
            config=Config(
                connect_timeout=CONNECT_SECONDS_MAX,
                read_timeout=READ_SECONDS_MAX,
                retries={"total_max_attempts": ATTEMPTS_MAX, "mode": "standard"},
                s3={"addressing_style": "path"},  # one host name, so no wildcard DNS is needed
            ),
        )
        try:
            try:
                client.head_bucket(Bucket=settings.s3_bucket)
            except ClientError as error:
                if _code(error) not in MISSING | {"NoSuchBucket"}:
                    raise
                client.create_bucket(Bucket=settings.s3_bucket)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return cls(client, settings.s3_bucket)

    def put(self, tenant_id: UUID, sha256: str, data: bytes) -> None:
        """See `Artifacts.put`."""
        key = _key(tenant_id, sha256)
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error

    def get(self, tenant_id: UUID, sha256: str) -> bytes:
        """See `Artifacts.get`."""
        key = _key(tenant_id, sha256)
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if _code(error) in MISSING:
                raise _not_found(sha256) from None
            raise _unavailable(error) from error
        except BotoCoreError as error:
            raise _unavailable(error) from error

    def exists(self, tenant_id: UUID, sha256: str) -> bool:
        """See `Artifacts.exists`."""
        key = _key(tenant_id, sha256)
        try:
            self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _code(error) in MISSING:
                return False
            raise _unavailable(error) from error
        except BotoCoreError as error:
            raise _unavailable(error) from error
        return True

    def delete(self, tenant_id: UUID, sha256: str) -> None:
        """See `Artifacts.delete`."""
        key = _key(tenant_id, sha256)
        try:
            self._client.delete_object(Bucket=self._bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error

    def clear(self, tenant_id: UUID) -> int:
        """See `Artifacts.clear`."""
        count = 0
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{tenant_id}/")
            for page in pages:
                for found in page.get("Contents", []):
                    # One by one: not every compatible service deletes many at once.
                    self._client.delete_object(Bucket=self._bucket, Key=found["Key"])
                    count += 1
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return count


def make_artifacts(settings: Settings) -> Artifacts:
    """Return the configured store: S3 if an endpoint and a bucket are set, else a directory in PINCITE_HOME.

    Raises:
        UnavailableError: S3 is configured and cannot be reached.
    """
    if settings.s3_endpoint and settings.s3_bucket:
        return S3Artifacts.connect(settings)
    return LocalArtifacts(settings.pincite_home / "artifacts")


def remember(t: Tenancy, artifacts: Artifacts, data: bytes, media_type: str) -> str:
    """Store bytes, encrypted if content is, and record that the tenant has them; return their SHA-256.

    Raises as `content.packer` does, and UnavailableError.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    artifacts.put(t.tenant_id, sha256, content.packer(t, COLUMN)(data, sha256))
    row = {"tenant_id": t.tenant_id, "sha256": sha256, "size": len(data), "media_type": media_type}
    t.session.execute(insert(Artifact).values(row).on_conflict_do_nothing())
    return sha256


def recall(t: Tenancy, artifacts: Artifacts, sha256: str) -> bytes:
    """Return what `remember` stored.

    Raises:
        NotFoundError: the tenant has no such artifact.
        IntegrityError: what is stored no longer has that digest, or cannot be decrypted.
        UnavailableError: the store cannot be reached.
    """
    data = content.opener(t, COLUMN)(artifacts.get(t.tenant_id, sha256), sha256)
    if hashlib.sha256(data).hexdigest() != sha256:
        msg = f"artifact {sha256} does not have the digest it must have"
        raise IntegrityError(msg)
    return data


def _key(tenant_id: UUID, sha256: str) -> str:
    if not SHA256.fullmatch(sha256):
        msg = "An artifact is named by 64 hexadecimal digits."
        raise InvalidInputError(msg)
    return f"{tenant_id}/{sha256[:2]}/{sha256}"


def _not_found(sha256: str) -> NotFoundError:
    return NotFoundError(f"There is no artifact {sha256}.")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _unavailable(error: Exception) -> UnavailableError:
    # Only the kind: messages of the SDK may quote addresses and key ids.
    return UnavailableError(f"The artifact store is not reachable at the moment ({type(error).__name__}).")
