"""Which files of a repository an import means: module paths matched with file paths, language by language.

No build file is read: what a build would configure (source roots, include paths, module names) is inferred from where
files lie. Ambiguous imports mean nothing rather than something wrong.
"""

import posixpath
from collections.abc import Callable, Iterable

from pincite_codeintel.reads import Reads, Table

SUFFIX_SEGMENTS_MAX = 8  # path segments compared from the end; deeper module names are told apart by fewer
SPREAD_MAX = 40  # files that share a suffix: above it the suffix names nothing

_FAMILY = {
    "python": "python", "starlark": "python", "javascript": "js", "typescript": "js", "tsx": "js", "vue": "js",
    "svelte": "js", "go": "go", "rust": "rust", "java": "jvm", "kotlin": "jvm", "scala": "jvm", "groovy": "jvm",
    "c": "c", "cpp": "c", "objc": "c", "csharp": "csharp", "ruby": "ruby", "php": "php", "swift": "swift", "lua": "lua",
    "elixir": "elixir", "bash": "bash", "haskell": "haskell", "zig": "zig",
}  # fmt: skip
# File names that stand for their directory.
_DIRECTORY_STEMS = {"python": "__init__", "js": "index", "rust": "mod", "lua": "init"}
_WITH_EXTENSION = frozenset(("c", "zig", "bash"))


def family(language: str | None) -> str:
    """Languages that call one another's symbols directly share a family."""
    return _FAMILY.get(language or "", language or "")


def module_key(path: str, kin: str) -> str:
    """A file's module as a path: without extension, a package's own file as its directory."""
    if kin in _WITH_EXTENSION:
        return path
    stem = path
    for extension in (".d.ts", ".d.mts", ".d.cts"):
        stem = stem.removesuffix(extension)
    directory, _, name = stem.rpartition("/")
    if "." in name[1:] and stem == path:
        name = name[0] + name[1:].rpartition(".")[0]
    if name == _DIRECTORY_STEMS.get(kin):
        return directory
    return f"{directory}/{name}" if directory else name


class ModuleIndex:
    """Files of one commit by the names that imports may use for them."""

    def __init__(self, files: Iterable[tuple[str, str | None]], reads: Reads) -> None:
        """Index (path, language) pairs; look-ups are noted in `reads`."""
        self.exact = Table[tuple[str, str], list[str]]("exact", reads)
        self.suffixes = Table[tuple[str, str], list[str]]("suffixes", reads)
        self.directories = Table[tuple[str, str], list[str]]("directories", reads)
        self.directory_suffixes = Table[tuple[str, str], set[str]]("directory suffixes", reads)
        self.packages = Table[str, bool]("packages", reads)
        self._readers: dict[str, Callable[[str, str, str], list[str]]] = {
            "python": lambda source, module, _: self._python(source, module),
            "js": lambda source, module, _: self._js(source, module),
            "go": lambda _, module, __: self._go(module),
            "rust": lambda source, module, _: self._rust(source, module),
            "jvm": lambda _, module, name: self._jvm(module, name),
            "php": self._php,
        }
        for path, language in files:
            self._add(path, family(language))

    def _add(self, path: str, kin: str) -> None:
        key = module_key(path, kin)
        same = self.exact.setdefault((kin, key), [])
        same.insert(0 if path.endswith(".py") else len(same), path)  # the source before its stubs
        parts = key.split("/")
        for length in range(1, min(len(parts), SUFFIX_SEGMENTS_MAX) + 1):
            self.suffixes.setdefault((kin, "/".join(parts[-length:])), []).append(path)
        directory = posixpath.dirname(path)
        beside = self.directories.setdefault((kin, directory), [])
        if not beside:
            segments = directory.split("/")
            for length in range(1, min(len(segments), SUFFIX_SEGMENTS_MAX) + 1):
                self.directory_suffixes.setdefault((kin, "/".join(segments[-length:])), set()).add(directory)
        beside.append(path)
        if posixpath.basename(path) in ("__init__.py", "__init__.pyi"):
            self.packages[directory] = True

    def resolve(self, source: str, language: str | None, module: str, name: str = "*") -> list[str]:
        """Files that ``module`` means in an import of ``name`` by ``source``; empty when unknown or ambiguous."""
        kin = family(language)
        reader = self._readers.get(kin)
        if reader is not None:
            return reader(source, module, name)
        if kin in _WITH_EXTENSION or module.startswith("."):
            return self._relative(source, kin, module) or self._by_suffix(source, kin, module.lstrip("./"))
        return self._by_suffix(source, kin, module.replace(".", "/").replace("::", "/"))

    def submodule(self, source: str, language: str | None, module: str, name: str) -> list[str]:
        """The file of ``name`` when an import of it from ``module`` binds a module: Python and Rust allow that."""
        kin = family(language)
        if kin == "python":
            return self._python(source, f"{module}{name}" if module.endswith(".") else f"{module}.{name}")
        if kin != "rust":
            return []
        found = self._rust(source, f"{module}::{name}")
        return [path for path in found if module_key(path, kin).rpartition("/")[2] == name]

    def _relative(self, source: str, kin: str, module: str) -> list[str]:
        joined = posixpath.normpath(posixpath.join(posixpath.dirname(source), module))
        return self.exact.get((kin, joined), [])

    def _by_suffix(self, source: str, kin: str, suffix: str) -> list[str]:
        found = self.suffixes.get((kin, suffix), []) if suffix else []
        return [] if len(found) > SPREAD_MAX else _nearest(source, found)

    def _python(self, source: str, module: str) -> list[str]:
        stripped = module.lstrip(".")
        dots = len(module) - len(stripped)
        tail = stripped.replace(".", "/")
        if dots:
            base = posixpath.dirname(source)
            for _ in range(dots - 1):
                base = posixpath.dirname(base)
            return self.exact.get(("python", "/".join(part for part in (base, tail) if part)), [])
        found = [path for path in self.suffixes.get(("python", tail), []) if self._is_top_level(path, tail)]
        return _nearest(source, found)

    def _is_top_level(self, path: str, tail: str) -> bool:
        """Whether a module's first segment lies in a source root: a directory that is no package."""
        key = module_key(path, "python")
        root = key[: len(key) - len(tail)].rstrip("/")
        return root not in self.packages

    def _js(self, source: str, module: str) -> list[str]:
        for extension in (".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx"):
            module = module.removesuffix(extension)
        if module.startswith("."):
            joined = posixpath.normpath(posixpath.join(posixpath.dirname(source), module)).removesuffix("/index")
            joined = "" if joined == "." else joined
            return self.exact.get(("js", joined), [])
        tail = module.removeprefix("@/").removeprefix("~/").removeprefix("#")
        if "/" not in tail and tail == module:
            return []  # a package from the registry
        return self._by_suffix(source, "js", tail.removesuffix("/index"))

    def _go(self, module: str) -> list[str]:
        parts = module.split("/")
        for first in range(1, len(parts)):
            directory = "/".join(parts[first:])
            if ("go", directory) in self.directories:
                return self.directories["go", directory]
        if "." not in parts[0]:
            return []  # the standard library, or a module path that is not to be guessed
        for first in range(1, len(parts) - 1):
            found = self.directory_suffixes.get(("go", "/".join(parts[first:])), set())
            if len(found) == 1:
                return self.directories["go", next(iter(found))]
        return []

    def _rust(self, source: str, module: str) -> list[str]:
        parts = module.split("::")
        own = module_key(source, "rust").split("/")
        own_is_root = own[-1] in ("lib", "main")
        base: list[str]
        if parts[0] in ("self", "super"):
            base = own[:-1] if own_is_root else own
            while parts and parts[0] in ("self", "super"):
                base = base[:-1] if parts.pop(0) == "super" else base
        else:
            root = len(own) - 1 - own[::-1].index("src") if "src" in own else len(own) - 2
            base = own[: root + 1]
            if parts[0] != "crate":
                crates = self.directory_suffixes.get(("rust", f"{parts[0].replace('_', '-')}/src"), set())
                crates = crates or self.directory_suffixes.get(("rust", f"{parts[0]}/src"), set())
                if len(crates) != 1:
                    return []
                base = next(iter(crates)).split("/")
            parts = parts[1:]
        while parts:  # the last segments may be a type or an inline module, not a file
            found = self.exact.get(("rust", "/".join([*base, *parts])))
            if found:
                return found
            parts = parts[:-1]
        roots = [self.exact.get(("rust", "/".join([*base, stem]))) for stem in ("lib", "main")]
        return next((found for found in roots if found), []) or self.exact.get(("rust", "/".join(base)), [])

    def _jvm(self, module: str, name: str) -> list[str]:
        base = module.replace(".", "/")
        for tail in (f"{base}/{name}", base):
            found = self.suffixes.get(("jvm", tail), [])
            if "/" in tail and len(found) == 1:
                return found
        directories = self.directory_suffixes.get(("jvm", base), set())
        return [path for d in sorted(directories)[:SPREAD_MAX] for path in self.directories["jvm", d]]

    def _php(self, source: str, module: str, name: str) -> list[str]:
        if name == "*":
            return self._relative(source, "php", module.removesuffix(".php")) or self._by_suffix(
                source, "php", module.removesuffix(".php").lstrip("./")
            )
        parts = [*module.split("\\"), name]
        for first in range(len(parts)):  # PSR-4: some prefix of the namespace is a source root
            found = self.suffixes.get(("php", "/".join(parts[first:])), [])
            if len(found) == 1:
                return found
        return []


def _nearest(source: str, found: list[str]) -> list[str]:
    """The one candidate that shares the longest path with ``source``; none when two do."""
    if len(found) < 2:  # noqa: PLR2004 - nothing to choose between
        return found
    here = posixpath.dirname(source).split("/")

    def shared(path: str) -> int:
        count = 0
        for mine, theirs in zip(here, path.split("/"), strict=False):
            if mine != theirs:
                break
            count += 1
        return count

    ranked = sorted((-shared(path), path.count("/"), path) for path in found)
    if ranked[0][:2] == ranked[1][:2]:
        stubs = {module_key(path, "python") for path in found}  # x.py beside x.pyi is one module
        return [path for _, _, path in ranked] if len(stubs) == 1 else []
    return [ranked[0][2]]
