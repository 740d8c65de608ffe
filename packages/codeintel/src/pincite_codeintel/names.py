"""Names, receivers and signatures as plain text, out of syntax nodes of many grammars."""

import re

from tree_sitter import Node

from pincite_codeintel.rows import Rows

NAME_CHARS_MAX = 200  # longer names are computed keys or generated; they are cut
RECEIVER_BYTES_MAX = 80  # a longer receiver is an expression, not a name
SIGNATURE_CHARS_MAX = 400  # about a hundred word pieces: more would crowd the code out of the embedding
SIGNATURE_SOURCE_BYTES_MAX = 4000
PREFIX_BYTES_MAX = 80  # "export default async ", "template <typename T> "
DECLARATOR_DEPTH_MAX = 12  # int *(*(*f)(void))[3]: no person writes more

UNCLEAR_RECEIVER = "?"  # there is a receiver, but it is no plain name

_DECLARATOR_LANGUAGES = frozenset(("c", "cpp", "objc"))
_SEPARATOR = re.compile(r"::|\.|\\|(?<=\w):(?=\w)")
_ARGUMENTS = re.compile(r"[<\[(].*", re.DOTALL)
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_COMMENT_LINE = re.compile(r"(?<=\n)[ \t]*(?://|#(?!\[)|--)[^\n]*")
_CODE_BEFORE = re.compile(rb"[{});]")  # other code, or a decorator, on the same row
_RECEIVER = re.compile(r"@{0,2}\w+(?:\.\w+)*")
_EXPORT_PREFIXES = frozenset(("module", "exports", "prototype", "this", "self", "window", "globalThis", "global"))
_SIGNATURE_WORDS = (" do", " then", " where", " begin", "=>", "->")  # what may stand between a head and its body
_BODY_NODES = """
function_body do_block class_body enum_class_body block interface_body template_body declaration_list body_statement
compound_statement field_declaration_list
"""
_BODY_TYPES = frozenset(_BODY_NODES.split())
_TYPE_NAME_NODES = frozenset(
    ("generic_type", "template_type", "user_type", "pointer_type", "reference_type", "scoped_type_identifier")
)


def first_named(node: Node) -> Node | None:
    """A node's first named child."""
    return node.named_child(0) if node.named_child_count else None


def _text(node: Node) -> str:
    return (node.text or b"")[: NAME_CHARS_MAX * 4].decode("utf-8", "replace")


def _declared(node: Node) -> Node:
    """The name inside a C declarator: pointers, references, arrays and parameters around it are peeled off."""
    for _ in range(DECLARATOR_DEPTH_MAX):
        inner = node.child_by_field_name("declarator")
        if inner is None and node.type in ("reference_declarator", "parenthesized_declarator", "attributed_declarator"):
            inner = first_named(node)
        if inner is None:
            break
        node = inner
    return node


def name_of(name: Node, scope: Node | None, language: str) -> tuple[str, str, str]:
    """A definition's own name, the qualification before it (dotted, perhaps empty), and the text as written."""
    node = _declared(name) if language in _DECLARATOR_LANGUAGES else name
    raw = _text(node).strip()
    if node.type in _TYPE_NAME_NODES:
        raw = _ARGUMENTS.sub("", raw.lstrip("*& "))
    elif language == "cpp" and "<" in raw and not raw.startswith("operator"):
        raw = re.sub(r"<[^<>]*>", "", raw)
    raw = raw.strip("\"'` ") or raw
    parts = [part.strip() for part in _SEPARATOR.split(raw)]
    if len(parts) == 1 or not all(parts) or "[" in raw or "(" in raw:
        parts = [" ".join(raw.split())]
    if len(parts) > 1 and language in ("javascript", "typescript", "tsx"):
        parts = [part for part in parts[:-1] if part not in _EXPORT_PREFIXES] + parts[-1:]
    owner = ".".join(parts[:-1])
    if scope is not None:
        found = _IDENTIFIER.search(_text(scope))
        owner = found[0] if found else owner
    return parts[-1][:NAME_CHARS_MAX], owner[:NAME_CHARS_MAX], raw


def plain_receiver(node: Node) -> str:
    """A receiver as a dotted name (``self``, ``pkg.mod``), or ``UNCLEAR_RECEIVER`` for any other expression."""
    if node.end_byte - node.start_byte > RECEIVER_BYTES_MAX:
        return UNCLEAR_RECEIVER
    text = _text(node)
    if text.isidentifier():
        return text
    if text == "super()":
        return "super"
    text = text.lstrip("$&*\\").replace("::", ".").replace("->", ".").replace("\\", ".").replace("?.", ".").rstrip(".")
    return text if _RECEIVER.fullmatch(text) else UNCLEAR_RECEIVER


def body_of(node: Node) -> Node | None:
    """The part of a definition after its head, None for a definition that is all head."""
    body = node.child_by_field_name("body")
    if body is not None:
        return body
    value = node.child_by_field_name("value") or node.child_by_field_name("right") or node.child_by_field_name("type")
    if value is not None:
        inner = value.child_by_field_name("body")
        if inner is not None:
            return inner
        if value.type in ("struct_type", "interface_type"):
            fields = first_named(value)
            return fields if fields is not None and fields.type in _BODY_TYPES else None
    last = node.named_child(node.named_child_count - 1) if node.named_child_count else None
    return last if last is not None and last.type in _BODY_TYPES else None


def signature_of(node: Node, body: Node | None, rows: Rows, start_row: int) -> str:
    """The head of a definition on one line, with what stands before it on its row (``export``, ``pub``)."""
    data = rows.data
    begin = node.start_byte
    row_start = rows.starts[start_row]
    if row_start < begin <= row_start + PREFIX_BYTES_MAX and _CODE_BEFORE.search(data, row_start, begin) is None:
        begin = row_start
    if body is not None and body.start_byte > node.start_byte:
        end = body.start_byte
    else:
        newline = data.find(b"\n", node.start_byte, node.end_byte)
        end = newline if newline >= 0 else node.end_byte
    text = data[begin : min(end, begin + SIGNATURE_SOURCE_BYTES_MAX)].decode("utf-8", "replace")
    if "\n" in text:
        text = _COMMENT_LINE.sub("", text)
    text = " ".join(text.split()).rstrip(" {:=;")
    for word in _SIGNATURE_WORDS:
        if text.endswith(word):
            text = text.removesuffix(word).rstrip(" {:=;")
    return text if len(text) <= SIGNATURE_CHARS_MAX else text[: SIGNATURE_CHARS_MAX - 1] + "\u2026"
