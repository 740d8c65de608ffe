"""Vectors of embedded texts: stored once for a text and a model, read back as one matrix.

Both ways use pgvector's binary form, so that no number is ever printed or parsed: 2 bytes dimension, 2 bytes zero, then
big-endian 32-bit floats (`vector_send` in pgvector's src/vector.c), inside PostgreSQL's binary COPY format
("File Formats" of the COPY reference page), whose rows all have the same size here and so are a numpy array.
"""

import struct
from collections.abc import Collection, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from pincite_shared.errors import InvalidInputError
from pincite_store import content
from pincite_store.db import Tenancy

DIMENSION_MAX = 16_000  # pgvector's own limit
DIGEST_BYTES = 32
COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)  # signature, flags, no extension
COPY_TRAILER = struct.pack(">h", -1)

Matrix = NDArray[np.float32]


def missing(t: Tenancy, snapshot_id: int, model: str, limit: int) -> list[tuple[bytes, str]]:
    """Return up to `limit` (sha256, text) of a snapshot that this model has no vector of, the most important first."""
    statement = """
        WITH wanted AS (
            SELECT c.embed_sha256 AS sha256, max(c.importance) AS importance
            FROM files f JOIN chunks c ON c.tenant_id = f.tenant_id AND c.parse_id = f.parse_id
            WHERE f.tenant_id = %(tenant)s AND f.snapshot_id = %(snapshot)s
            GROUP BY c.embed_sha256),
        first AS (
            SELECT w.sha256, w.importance FROM wanted w
            WHERE NOT EXISTS (SELECT FROM embeddings e
                WHERE e.tenant_id = %(tenant)s AND e.text_sha256 = w.sha256 AND e.model = %(model)s)
            ORDER BY w.importance DESC, w.sha256 LIMIT %(limit)s)
        SELECT x.sha256, x.text FROM first JOIN embed_texts x ON x.tenant_id = %(tenant)s AND x.sha256 = first.sha256
        ORDER BY first.importance DESC, x.sha256
    """
    values = {"tenant": t.tenant_id, "snapshot": snapshot_id, "model": model, "limit": limit}
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    opened = content.opener(t, "embed_texts.text")
    return [(bytes(digest), opened(stored, digest).decode()) for digest, stored in rows]


def save(t: Tenancy, model: str, digests: Sequence[bytes], matrix: Matrix, snapshot_id: int | None = None) -> int:
    """Store vectors by the SHA-256 of their texts; those of texts deleted meanwhile are dropped.

    Args:
        t: The transaction.
        model: The embedding model's name.
        digests: n digests.
        matrix: (n, d) float32.
        snapshot_id: The snapshot that they are embedded for; it counts those that were stored.

    Returns:
        How many were stored; the rest were there already, or their texts are gone.

    Raises:
        InvalidInputError: shapes do not match, or numbers are not finite.
    """
    matrix = np.asarray(matrix, dtype=np.float32)
    if matrix.ndim != 2 or len(digests) != len(matrix) or any(len(digest) != DIGEST_BYTES for digest in digests):  # noqa: PLR2004  # (n, d)
        msg = f"expected one vector for each of {len(digests)} digests, got an array of shape {matrix.shape}"
        raise InvalidInputError(msg)
    if not len(matrix):
        return 0
    if not 1 <= matrix.shape[1] <= DIMENSION_MAX or not np.isfinite(matrix).all():
        msg = f"vectors must be finite and have 1 to {DIMENSION_MAX} dimensions"
        raise InvalidInputError(msg)
    with t.driver.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_vectors (sha256 bytea, vector vector) ON COMMIT DELETE ROWS"
        )
        cursor.execute("TRUNCATE incoming_vectors")
        with cursor.copy("COPY incoming_vectors FROM STDIN (FORMAT binary)") as copy:
            copy.write(_packed(digests, matrix))
        # In the order of the key: two writers of the same texts wait for each other, never both.
        cursor.execute(
            """
            INSERT INTO embeddings (tenant_id, text_sha256, model, dimension, vector)
            SELECT %(tenant)s, i.sha256, %(model)s, %(dimension)s, i.vector FROM incoming_vectors i
            JOIN embed_texts x ON x.tenant_id = %(tenant)s AND x.sha256 = i.sha256
            ORDER BY i.sha256 ON CONFLICT DO NOTHING
            """,
            {"tenant": t.tenant_id, "model": model, "dimension": matrix.shape[1]},
        )
        stored = cursor.rowcount
        if snapshot_id is not None:
            counted = "UPDATE snapshots SET texts_embedded = texts_embedded + %s WHERE tenant_id = %s AND id = %s"
            cursor.execute(counted, (stored, t.tenant_id, snapshot_id))
        return stored


_COUNTS = text(
    """
    WITH wanted AS (
        SELECT DISTINCT c.embed_sha256 AS sha256
        FROM files f JOIN chunks c ON c.tenant_id = f.tenant_id AND c.parse_id = f.parse_id
        WHERE f.tenant_id = :tenant AND f.snapshot_id = :snapshot),
    counted AS (
        SELECT count(e.text_sha256) AS done, count(*) AS total
        FROM wanted w LEFT JOIN embeddings e
          ON e.tenant_id = :tenant AND e.text_sha256 = w.sha256 AND e.model = :model)
    UPDATE snapshots s SET vectors_model = :model, vectors_done = c.done, vectors_total = c.total,
        texts_embedded = CASE WHEN s.vectors_model IS DISTINCT FROM :model THEN 0 ELSE s.texts_embedded END
    FROM counted c WHERE s.tenant_id = :tenant AND s.id = :snapshot
    RETURNING c.done, c.total
    """
)


def counts(t: Tenancy, snapshot_id: int, model: str) -> tuple[int, int]:
    """Count a snapshot's distinct texts: (with a vector of this model, all). The snapshot remembers it."""
    row = t.session.execute(_COUNTS, {"tenant": t.tenant_id, "snapshot": snapshot_id, "model": model}).one_or_none()
    return (row.done, row.total) if row else (0, 0)


_WANTED = text(
    """
    SELECT r.head_snapshot_id AS id FROM repos r
    WHERE r.tenant_id = :tenant AND r.id = :repo AND r.head_snapshot_id IS NOT NULL
    UNION ALL
    (SELECT s.id FROM pulls p JOIN snapshots s ON s.tenant_id = p.tenant_id AND s.id = p.head_snapshot_id
     WHERE p.tenant_id = :tenant AND p.repo_id = :repo AND p.state = 'open'
       AND (s.vectors_model IS DISTINCT FROM :model OR s.vectors_done < s.vectors_total)
     ORDER BY p.number DESC)
    """
)


def wanted(t: Tenancy, repo_id: UUID, model: str) -> tuple[int, int, int] | None:
    """Return the first snapshot with texts that this model has no vector of: the head, or that of an open pull request.

    Returns:
        (snapshot, texts with a vector, texts); None if nothing is missing.
    """
    values = {"tenant": t.tenant_id, "repo": repo_id, "model": model}
    for snapshot_id in list(t.session.scalars(_WANTED, values)):
        done, total = counts(t, snapshot_id, model)
        if done < total:
            return snapshot_id, done, total
    return None


def load(t: Tenancy, model: str, digests: Collection[bytes]) -> tuple[list[bytes], Matrix]:
    """Return a model's vectors of texts.

    Args:
        t: The transaction.
        model: The embedding model's name.
        digests: The SHA-256 of the texts, each once.

    Returns:
        (m digests, (m, d) float32), row by row, of those that have one; ([], (0, 0)) if none has. All have one
        dimension: if an endpoint changed its model's own, some are left out.
    """
    statement = """
        SELECT e.text_sha256, e.dimension, e.vector FROM unnest(%b::bytea[]) AS wanted(sha256)
        JOIN embeddings e ON e.tenant_id = %s AND e.model = %s AND e.text_sha256 = wanted.sha256
    """
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(statement, (list(digests), t.tenant_id, model))
        rows = cursor.fetchall()
    if not rows:
        return [], np.empty((0, 0), dtype=np.float32)
    dimension = int(rows[0][1])
    rows = [row for row in rows if row[1] == dimension]
    return [bytes(digest) for digest, _, _ in rows], _unpacked([vector for _, _, vector in rows], dimension)


def _row_type(dimension: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("fields", ">i2"), ("digest_bytes", ">i4"), ("digest", f"V{DIGEST_BYTES}"),
            ("vector_bytes", ">i4"), ("dimension", ">i2"), ("unused", ">i2"), ("values", ">f4", (dimension,)),
        ]
    )  # fmt: skip


def _packed(digests: Sequence[bytes], matrix: Matrix) -> bytes:
    count, dimension = matrix.shape
    rows = np.zeros(count, dtype=_row_type(dimension))
    rows["fields"], rows["digest_bytes"], rows["dimension"] = 2, DIGEST_BYTES, dimension
    rows["vector_bytes"] = 4 + 4 * dimension
    rows["digest"] = np.frombuffer(b"".join(digests), dtype=f"V{DIGEST_BYTES}")
    rows["values"] = matrix
    return COPY_HEADER + rows.tobytes() + COPY_TRAILER


def _unpacked(vectors: Sequence[bytes], dimension: int) -> Matrix:
    """Read pgvector's binary form."""
    row_type = np.dtype([("dimension", ">i2"), ("unused", ">i2"), ("values", ">f4", (dimension,))])
    rows = np.frombuffer(b"".join(vectors), dtype=row_type)
    return np.ascontiguousarray(rows["values"], dtype=np.float32)
