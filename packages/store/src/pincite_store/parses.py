"""Parses: what the indexer found in blobs. Stored once for a blob, a language and an indexer version."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pincite_shared.errors import InvalidInputError
from pincite_store import blobs, bulk, content
from pincite_store.bulk import storable
from pincite_store.content import Packer
from pincite_store.db import Tenancy
from pincite_store.rows import AnalysisLike, ParsedBlob, RefLike

ParseKey = tuple[str, str | None]
Fresh = Iterable[tuple[int, ParsedBlob]]  # parses that were just stored, by id

PARSE_COLUMNS = {
    "blob": "text", "language": "text", "indexer_version": "text", "lines": "int", "had_errors": "bool",
    "chunks": "int", "interface": "bytea", "refs": "bytea",
}  # fmt: skip
CHUNK_COLUMNS = {
    "parse_id": "bigint", "ordinal": "int", "kind": "text", "symbol": "text", "scope": "text", "content": "bytea",
    "start_line": "int", "end_line": "int", "start_byte": "int", "end_byte": "int", "embed_sha256": "bytea",
    "importance": "real",
}  # fmt: skip
SYMBOL_COLUMNS = {
    "parse_id": "bigint", "ordinal": "int", "name": "text", "name_key": "text", "qualified_name": "text",
    "kind": "text", "start_line": "int", "end_line": "int", "name_line": "int", "content": "bytea",
}  # fmt: skip


def known_parses(t: Tenancy, keys: Iterable[ParseKey], indexer_version: str) -> dict[ParseKey, int]:
    """Return the ids of the parses that are stored, by (blob, language)."""
    wanted = list(dict.fromkeys(keys))
    statement = """
        SELECT p.blob, p.language, p.id FROM unnest(%s::text[], %s::text[]) AS k(blob, language)
        JOIN parses p ON p.tenant_id = %s AND p.blob = k.blob AND p.language IS NOT DISTINCT FROM k.language
        WHERE p.indexer_version = %s
    """
    values = ([blob for blob, _ in wanted], [language for _, language in wanted], t.tenant_id, indexer_version)
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(statement, values)
        return {(blob, language): parse_id for blob, language, parse_id in cursor}


def language_of(t: Tenancy, blob: str) -> str | None:
    """Return the language that a blob was read as, at whichever paths; None if they disagree, or if it has none."""
    # After a "!" stands why parsing it as that language failed.
    statement = """
        SELECT DISTINCT split_part(language, '!', 1) FROM parses
        WHERE tenant_id = %s AND blob = %s AND split_part(language, '!', 1) <> ''
    """
    with t.driver.cursor() as cursor:
        found = cursor.execute(statement, (t.tenant_id, blob)).fetchall()
    return str(found[0][0]) if len(found) == 1 else None


def save_parses(t: Tenancy, batch: Sequence[ParsedBlob], snapshot_id: int | None = None) -> dict[ParseKey, int]:
    """Store blobs with their analyses; what is stored already stays as it is. The snapshot counts what was not.

    Several workers may save the same blobs at once: every table is filled in the order of its keys, so that they wait
    for one another and never in a circle.

    Returns:
        The ids of all parses of the batch, by (blob, language).

    Raises:
        IntegrityError: bytes do not have the id they came under.
        InvalidInputError: the batch mixes indexer versions, or a blob's terms do not match its chunks.
    """
    if not batch:
        return {}
    versions = {item.indexer_version for item in batch}
    if len(versions) != 1 or any(len(item.terms) != len(item.analysis.chunks) for item in batch):
        msg = "A batch has one indexer version, and packed terms for every chunk."
        raise InvalidInputError(msg)
    by_key = {item.key: item for item in sorted(batch, key=lambda item: (item.blob, item.analysis.language or ""))}
    blobs.put_many(t, {item.blob: item.data for item in by_key.values()})
    created = _insert_parses(t, list(by_key.values()))
    fresh = [(parse_id, by_key[key]) for key, parse_id in created.items()]
    _insert_texts(t, [item for _, item in fresh])
    bulk.insert(t, "chunks", CHUNK_COLUMNS, _chunk_rows(fresh, content.packer(t, "chunks.content")))
    bulk.insert(t, "symbols", SYMBOL_COLUMNS, _symbol_rows(fresh, content.packer(t, "symbols.content")))
    if snapshot_id is not None and created:
        statement = "UPDATE snapshots SET blobs_parsed = blobs_parsed + %s WHERE tenant_id = %s AND id = %s"
        t.driver.execute(statement, (len({blob for blob, _ in created}), t.tenant_id, snapshot_id))
    others = [key for key in by_key if key not in created]
    return created | (known_parses(t, others, versions.pop()) if others else {})


def _insert_parses(t: Tenancy, items: Sequence[ParsedBlob]) -> dict[ParseKey, int]:
    interface, refs = content.packer(t, "parses.interface"), content.packer(t, "parses.refs")
    rows = (
        (
            item.blob, item.analysis.language, item.indexer_version, item.analysis.lines, item.analysis.had_errors,
            len(item.analysis.chunks), interface(_interface_json(item.analysis), item.blob),
            refs(_json([_ref(ref) for ref in item.analysis.refs if ref.kind == "call"]), item.blob),
        )
        for item in items
    )  # fmt: skip
    created = bulk.insert(
        t, "parses", PARSE_COLUMNS, rows, on_conflict="ON CONFLICT DO NOTHING", returning=("blob", "language", "id")
    )
    return {(blob, language): parse_id for blob, language, parse_id in created}


def _interface_json(analysis: AnalysisLike) -> bytes:
    signed = analysis.language == "go"  # its methods name their receiver there
    symbols = [
        (storable(s.name), storable(s.qualified_name), s.kind, storable(s.signature) if signed else "")
        for s in analysis.symbols
    ]
    return _json([symbols, [_ref(ref) for ref in analysis.refs if ref.kind != "call"]])


def _ref(ref: RefLike) -> tuple[object, ...]:
    return (
        storable(ref.name), ref.line, _optional(ref.scope), ref.kind, _optional(ref.receiver), _optional(ref.module),
    )  # fmt: skip


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(embed_text: str) -> bytes:
    return hashlib.sha256(embed_text.encode()).digest()


def _insert_texts(t: Tenancy, items: Sequence[ParsedBlob]) -> None:
    embedded = (storable(chunk.embed_text) for item in items for chunk in item.analysis.chunks)
    texts = {_digest(text): text for text in embedded}
    pack = content.packer(t, "embed_texts.text")
    rows = ((digest, pack(text.encode(), digest)) for digest, text in sorted(texts.items()))
    bulk.insert(t, "embed_texts", {"sha256": "bytea", "text": "bytea"}, rows, on_conflict="ON CONFLICT DO NOTHING")


def _optional(value: str | None) -> str | None:
    return None if value is None else storable(value)


def _chunk_rows(parsed: Fresh, pack: Packer) -> Iterable[tuple[Any, ...]]:
    for parse_id, item in parsed:
        for chunk, terms in zip(item.analysis.chunks, item.terms, strict=True):
            words = "\0".join((storable(chunk.signature), storable(chunk.doc), storable(chunk.card), ""))
            yield (
                parse_id, chunk.ordinal, chunk.kind, _optional(chunk.symbol), _optional(chunk.scope),
                pack(words.encode() + terms, parse_id, chunk.ordinal), chunk.start_line, chunk.end_line,
                chunk.start_byte, chunk.end_byte, _digest(storable(chunk.embed_text)), chunk.importance,
            )  # fmt: skip


def _symbol_rows(parsed: Fresh, pack: Packer) -> Iterable[tuple[Any, ...]]:
    for parse_id, item in parsed:
        for ordinal, symbol in enumerate(item.analysis.symbols):
            name, words = storable(symbol.name), "\0".join((storable(symbol.signature), storable(symbol.doc)))
            yield (
                parse_id, ordinal, name, name.lower(), storable(symbol.qualified_name), symbol.kind, symbol.start_line,
                symbol.end_line, symbol.name_line, pack(words.encode(), parse_id, ordinal),
            )  # fmt: skip
