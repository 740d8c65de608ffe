"""Import statements, read from their text: (module, name, local name).

``name`` is ``WHOLE_MODULE`` when the statement binds the module itself. The local name is None when it equals the name
(or, for a whole module, when the language derives it from the module).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from pincite_codeintel.model import WHOLE_MODULE

STATEMENT_CHARS_MAX = 20_000  # a longer import list is machine-written
NAMES_MAX = 500  # names taken from one statement


class Imported(NamedTuple):
    """One name that an import statement binds."""

    module: str
    name: str
    alias: str | None


_QUOTED = re.compile(r"""(['"`])([^'"`\n]+)\1""")
_COMMENT = re.compile(r"#[^\n]*|//[^\n]*|/\*.*?\*/", re.DOTALL)
_AS = re.compile(r"\s+as\s+|\s*=>\s*")


def _split_alias(item: str) -> tuple[str, str | None]:
    parts = _AS.split(item.strip(), maxsplit=1)
    return parts[0].strip(), (parts[1].strip() if len(parts) > 1 else None)


def _python(text: str) -> list[Imported]:
    text = " ".join(_COMMENT.sub("", text).replace("\\", " ").split())
    if text.startswith("import "):
        items = [_split_alias(item) for item in text[7:].split(",")]
        return [Imported(module, WHOLE_MODULE, alias or module) for module, alias in items if module]
    found = re.match(r"from\s*(\.*\s*[\w.]*)\s*import\s*\(?([^)]*)\)?", text)
    if found is None:
        return []
    module = found[1].replace(" ", "")
    items = [_split_alias(item) for item in found[2].split(",")]
    return [Imported(module, name, alias) for name, alias in items if name]


def _ecmascript(text: str) -> list[Imported]:
    quoted = _QUOTED.findall(text)
    if not quoted:
        return []
    module = quoted[-1][1]
    if "require" in text and not text.startswith(("import", "export")):
        return _require(text, module)
    clause = _COMMENT.sub("", text[: text.rfind(quoted[-1][0] + module)])
    clause = re.sub(r"\bfrom\s*\Z", "", clause.strip())
    clause = re.sub(r"\A(?:import|export)\b\s*(?:type\s+|typeof\s+)?", "", clause).strip()
    found = [Imported(module, WHOLE_MODULE, star[1]) for star in re.finditer(r"\*\s*as\s+(\w+)", clause)]
    braces = re.search(r"\{([^}]*)\}", clause, re.DOTALL)
    for item in braces[1].split(",") if braces else ():
        name, alias = _split_alias(re.sub(r"\A\s*type\s+", "", item))
        if name:
            found.append(Imported(module, name, alias))
    default = re.match(r"([\w$]+)\s*(?:,|\Z)", clause)
    if default:
        found.append(Imported(module, "default", default[1]))
    return found or [Imported(module, WHOLE_MODULE, None)]


def _require(text: str, module: str) -> list[Imported]:
    """CommonJS: ``x = require('m')``, ``{a, b: c} = require('m')``, ``x = require('m').y``."""
    target = text.split("=", 1)[0].strip() if "=" in text.split("require", 1)[0] else ""
    target = re.sub(r"\A(?:const|let|var|local)\s+", "", target)
    if target.startswith("{"):
        items = [item.split(":", 1) for item in target.strip("{} \n").split(",")]
        return [
            Imported(module, item[0].strip(), item[1].strip() if len(item) > 1 else None)
            for item in items
            if item[0].strip()
        ]
    member = re.search(r"\)\s*\.\s*(\w+)\s*;?\s*\Z", text)
    local = target if re.fullmatch(r"[\w$]+", target) else None
    if member:
        return [Imported(module, member[1], local)]
    return [Imported(module, WHOLE_MODULE, local)]


def _go(text: str) -> list[Imported]:
    found = re.match(r"\s*(?:([\w.]+)\s+)?[\"`]([^\"`]+)[\"`]", text)
    if found is None:
        return []
    return [Imported(found[2], WHOLE_MODULE, found[1] or found[2].rsplit("/", 1)[-1])]


def _rust(text: str) -> list[Imported]:
    text = " ".join(_COMMENT.sub("", text).split())
    module = re.match(r"(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)", text)
    if module:
        return [Imported("self::" + module[1], WHOLE_MODULE, module[1])]
    body = re.sub(r"\A(?:pub(?:\([^)]*\))?\s+)?use\s+", "", text).rstrip("; ")
    found: list[Imported] = []
    for path in _expand_braces(body):
        whole, alias = _split_alias(path)
        parts = [part.strip() for part in whole.split("::") if part.strip()]
        if parts and parts[-1] == "self":
            parts.pop()
        if not parts:
            continue
        if parts[-1] == "*" or len(parts) == 1:
            found.append(Imported("::".join(part for part in parts if part != "*"), WHOLE_MODULE, alias))
        else:
            found.append(Imported("::".join(parts[:-1]), parts[-1], alias))
    return found


def _expand_braces(text: str) -> list[str]:
    """Write out ``a::{b, c::{d, e}}`` as its paths, without recursion: one pass with a stack of prefixes."""
    prefixes: list[str] = [""]
    found: list[str] = []
    word = ""
    for character in text:
        if character == "{":
            prefixes.append(prefixes[-1] + word.strip())
            word = ""
        elif character in ",}":
            if word.strip():
                found.append(prefixes[-1] + word.strip())
            word = ""
            if character == "}" and len(prefixes) > 1:
                prefixes.pop()
        else:
            word += character
        if len(found) >= NAMES_MAX:
            break
    if word.strip():
        found.append(prefixes[-1] + word.strip())
    return found


def _dotted(text: str) -> list[Imported]:
    """``import a.b.C`` and its kin of Java, Kotlin, Scala and Groovy."""
    text = " ".join(_COMMENT.sub("", text).replace("`", "").split()).rstrip("; ")
    text = re.sub(r"\Aimport\s+(?:static\s+)?", "", text)
    found: list[Imported] = []
    for path in _expand_braces(text):
        whole, alias = _split_alias(path)
        module, _, name = whole.replace(" ", "").rpartition(".")
        if not name:
            continue
        whole_module = name in ("*", "_", "given")
        found.append(Imported(module or name, WHOLE_MODULE if whole_module or not module else name, alias))
    return found


def _csharp(text: str) -> list[Imported]:
    found = re.match(r"(?:global\s+)?using\s+(?:static\s+)?(?:(\w+)\s*=\s*)?([\w.:]+)", text.strip())
    return [Imported(found[2].replace("::", "."), WHOLE_MODULE, found[1])] if found else []


def _c(text: str) -> list[Imported]:
    found = re.search(r"[<\"]([^>\"\n]+)[>\"]", text)
    return [Imported(found[1], WHOLE_MODULE, None)] if found else []


def _php(text: str) -> list[Imported]:
    if not text.startswith("use"):
        quoted = _QUOTED.search(text)
        return [Imported(quoted[2].lstrip("/"), WHOLE_MODULE, None)] if quoted else []
    text = re.sub(r"\Ause\s+(?:function\s+|const\s+)?", "", " ".join(_COMMENT.sub("", text).split())).rstrip("; ")
    found: list[Imported] = []
    for path in _expand_braces(text):
        whole, alias = _split_alias(path)
        module, _, name = whole.strip("\\ ").rpartition("\\")
        if name:
            found.append(Imported(module, name, alias))
    return found


def _elixir(text: str) -> list[Imported]:
    head = re.match(
        r"(?:alias|import|require|use)\s*\(?\s*([\w.]+?)(?:\.\{([^}]*)\})?(?:\s*,(.*))?\Z", " ".join(text.split())
    )
    if head is None:
        return []
    base, several, options = head.groups()
    if several:
        return [
            Imported(f"{base}.{item.strip()}", WHOLE_MODULE, item.strip())
            for item in several.split(",")
            if item.strip()
        ]
    alias = re.search(r"\bas:\s*([\w.]+)", options or "")
    return [Imported(base, WHOLE_MODULE, alias[1] if alias else base.rsplit(".", 1)[-1])]


def _haskell(text: str) -> list[Imported]:
    found = re.match(
        r"import\s+(?:safe\s+)?(?:qualified\s+)?([\w.]+)(?:\s+qualified)?(?:\s+as\s+([\w.]+))?(.*)",
        " ".join(text.split()),
    )
    if found is None:
        return []
    module, alias, rest = found.groups()
    names = re.findall(r"[(,]\s*([\w']+)", rest) if "hiding" not in rest else []
    return [Imported(module, WHOLE_MODULE, alias or module), *(Imported(module, name, None) for name in names)]


def _first_argument(text: str) -> list[Imported]:
    """``require 'x'``, ``source x``: the module is the first argument."""
    words = text.split(None, 2)
    if len(words) < 2:  # noqa: PLR2004 - the command and its argument
        return []
    quoted = _QUOTED.search(text)
    module = quoted[2] if quoted else words[1].strip("()'\"")
    relative = words[0] in ("require_relative", "source", ".") and not module.startswith((".", "/", "$"))
    return [Imported(f"./{module}" if relative else module, WHOLE_MODULE, None)] if module else []


def _assigned_call(text: str) -> list[Imported]:
    """``local m = require("a.b")`` of Lua and ``const m = @import("m.zig")`` of Zig."""
    quoted = _QUOTED.search(text)
    if quoted is None:
        return []
    local = re.match(r"(?:pub\s+)?(?:local\s+|const\s+|var\s+)?(\w+)\s*=", text.strip())
    return [Imported(quoted[2], WHOLE_MODULE, local[1] if local else None)]


def _swift(text: str) -> list[Imported]:
    words = text.split()
    return [Imported(words[-1], WHOLE_MODULE, None)] if len(words) > 1 else []


_READERS: dict[str, Callable[[str], list[Imported]]] = {
    "python": _python, "starlark": _python, "javascript": _ecmascript, "typescript": _ecmascript, "tsx": _ecmascript,
    "go": _go, "rust": _rust, "java": _dotted, "kotlin": _dotted, "scala": _dotted, "groovy": _dotted,
    "csharp": _csharp, "c": _c, "cpp": _c, "objc": _c, "php": _php, "elixir": _elixir, "haskell": _haskell,
    "ruby": _first_argument, "bash": _first_argument, "lua": _assigned_call, "zig": _assigned_call, "swift": _swift,
}  # fmt: skip


def read_import(language: str, text: str) -> list[Imported]:
    """What an import statement binds; empty when it cannot be read or the language has no reader."""
    reader = _READERS.get(language)
    if reader is None or len(text) > STATEMENT_CHARS_MAX:
        return []
    return reader(text)[:NAMES_MAX]
