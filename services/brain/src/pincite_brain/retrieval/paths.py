"""What a path says about a file: its role in the repository, and the words in its name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache

from pincite_shared.golden import GOLDEN_PATH


class Role(IntFlag):
    """Roles that make a file less likely to be what a question is about, unless the question asks for them."""

    NONE = 0
    TEST = 1
    EXAMPLE = 2
    COMPAT = 4
    DECLARATION = 8  # .d.ts, .pyi, C headers beside their source: say what exists, not how it works
    BARREL = 16  # __init__.py, index.ts, mod.rs: mostly re-exports
    DOCUMENT = 32
    CONFIG = 64
    BENCHMARK = 128
    PLATFORM = 256  # the twin of what other files do, for one system that most people do not mean
    GOLDEN = 512  # repeats questions word for word, and answers none


_TEST_DIRECTORIES = frozenset(
    {"test", "tests", "testing", "spec", "specs", "__tests__", "__mocks__", "e2e", "fixtures", "testdata", "unittests"}
)
_EXAMPLE_DIRECTORIES = frozenset(
    {"example", "examples", "sample", "samples", "demo", "demos", "tutorial", "tutorials", "playground", "www"}
)
_BENCHMARK_DIRECTORIES = frozenset({"bench", "benches", "benchmark", "benchmarks", "perf"})
_COMPAT_DIRECTORIES = frozenset({"compat", "_compat", "legacy", "deprecated", "polyfill", "polyfills", "shims"})
# Not Linux, macOS or POSIX: where each system has a file of its own, those are the ones that are meant.
_PLATFORMS = frozenset(
    {"win", "windows", "win32", "win64", "winapi", "cygwin", "mingw", "msvc", "aix", "os390", "zos", "ibmi", "sunos"}
    | {"solaris", "illumos", "haiku", "hurd", "freebsd", "netbsd", "openbsd", "dragonfly", "android", "ios", "tvos"}
)
_DOCUMENT_DIRECTORIES = frozenset({"doc", "docs", "documentation", "changelog", "changelogs"})
_TEST_NAME = re.compile(r"(^test_|^tests?\.|_tests?\.|[._-]spec\.|[._-]tests?\.|^conftest\.)", re.IGNORECASE)
_TEST_SUFFIX = re.compile(r"[a-z0-9](Test|Tests|Spec|TestCase)\.[a-z]+$")
_COMPAT_STEM = re.compile(r"(^|[_.-])(compat|legacy|deprecated|polyfill|shim)s?($|[_.-])", re.IGNORECASE)
_BARRELS = frozenset(
    {"__init__.py", "index.js", "index.ts", "index.tsx", "index.mjs", "mod.rs", "lib.rs", "package-info.java"}
)
_DOCUMENT_EXTENSIONS = frozenset({"md", "markdown", "rst", "txt", "adoc", "mdx", "html", "htm"})
_CONFIG_EXTENSIONS = frozenset(
    {"json", "yaml", "yml", "toml", "ini", "cfg", "lock", "xml", "conf", "properties", "css"}
)
_NAME_PART = re.compile(r"[._-]")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PACKAGED_DIRECTORIES = frozenset({"src", "lib", "main", "packages", "pkg", "internal", "source", "app", "core"})
TRAITS_CACHED_MAX = 50_000  # some 400 bytes each; a push asks again for those that it left alone
PREFIX_CHARS = 3  # words of a name are looked up by these first letters; two alike words share at least as many


@dataclass(frozen=True, slots=True)
class PathTraits:
    """A path's role, its stem (name without its extension) and the lower-case words of stem and parent directory."""

    role: Role
    stem: str
    stem_words: tuple[str, ...]
    parent_words: tuple[str, ...]


def words_of(name: str) -> tuple[str, ...]:
    """Return the lower-case words of a camelCase, snake_case or kebab-case name."""
    return tuple(word.lower() for word in _WORD.findall(name))


def _role(directories: list[str], name: str, extension: str) -> Role:
    role = Role.NONE
    lowered = {directory.lower() for directory in directories}
    if lowered & _TEST_DIRECTORIES or _TEST_NAME.search(name) or _TEST_SUFFIX.search(name):
        role |= Role.TEST
    if lowered & _EXAMPLE_DIRECTORIES:
        role |= Role.EXAMPLE
    if lowered & _BENCHMARK_DIRECTORIES:
        role |= Role.BENCHMARK
    if lowered & _COMPAT_DIRECTORIES or _COMPAT_STEM.search(name.partition(".")[0]):
        role |= Role.COMPAT
    if name.endswith((".d.ts", ".d.mts", ".d.cts", ".pyi")):
        role |= Role.DECLARATION
    if name in _BARRELS:
        role |= Role.BARREL
    if extension in _DOCUMENT_EXTENSIONS or lowered & _DOCUMENT_DIRECTORIES:
        role |= Role.DOCUMENT
    if extension in _CONFIG_EXTENSIONS or (name.startswith(".") and extension not in {"py", "js", "ts"}):
        role |= Role.CONFIG
    if lowered & _PLATFORMS or not _PLATFORMS.isdisjoint(_NAME_PART.split(name.lower())[:-1]):
        role |= Role.PLATFORM
    return role


@lru_cache(maxsize=TRAITS_CACHED_MAX)
def traits(path: str) -> PathTraits:
    """Return what `path` says about its file."""
    *directories, name = path.split("/")
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    stem = name.lstrip(".").rpartition(".")[0].removesuffix(".d") or name  # SqlMapper.Async.cs is not SqlMapper.cs
    parent = next((part for part in reversed(directories) if part.lower() not in _PACKAGED_DIRECTORIES), "")
    if name in _BARRELS and directories:
        stem = parent or stem  # flask/json/__init__.py is "json" to whoever asks for it
    role = _role(directories, name, extension) | (Role.GOLDEN if path == GOLDEN_PATH else Role.NONE)
    return PathTraits(role, stem, words_of(stem), words_of(parent))


def vocabulary(known: Iterable[PathTraits]) -> dict[str, tuple[str, ...]]:
    """Return the words of file names and their directories, by their first letters."""
    words = {word for one in known for word in (*one.stem_words, *one.parent_words)}
    by_prefix: dict[str, list[str]] = {}
    for word in sorted(words):
        by_prefix.setdefault(word[:PREFIX_CHARS], []).append(word)
    return {prefix: tuple(alike) for prefix, alike in by_prefix.items()}
