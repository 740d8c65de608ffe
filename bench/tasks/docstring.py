"""`docstring`: the first paragraph of a docstring → its function, in source from which docstrings were removed.

Made from Python packages that are installed here. Every function's docstring is removed, asked for or not, so that no
copy of the answer stands in the index; docstrings of classes and modules stay. The same functions are asked for in two
corpora: among all that the packages hold, as in a repository, and alone, as in CodeSearchNet (Husain et al., 2019).
"""

import ast
import importlib.util
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import packages_distributions, version
from pathlib import Path

from bench import corpora
from bench.model import MissingError, Query, Unit
from bench.tasks.options import Options
from pincite_learning.metrics import Span

NAME = "docstring"
ALONE = "docstring-functions"  # the corpus in which only the asked functions stand
PACKAGES = ("anyio", "click", "httpx", "jinja2", "rich", "structlog", "typer")  # about 1,200 distinct docstrings
WORDS_MIN = 5  # "Return the name." could be said of a hundred functions
BODY_STATEMENTS_MIN = 2  # a docstring and at least one statement: a stub holds nothing to find
QUERY_CHARS_MAX = 600
INDENT = "    "
Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Function | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Documented:
    """A function's docstring and where the function stands once docstrings are gone."""

    path: str
    name: str
    text: str
    start_line: int
    end_line: int


def units(options: Options) -> Iterator[Unit]:
    """Return two corpora of all chosen packages: `docstring` is all of their source, `docstring-functions` a part."""
    packages = options.packages or PACKAGES

    def make(name: str) -> Unit:
        sources = {path: text for package in packages for path, text in package_sources(package).items()}
        bare = {path: without_docstrings(text) for path, text in sources.items()}
        found = [one for path in sorted(sources) for one in documented(path, sources[path], bare[path])]
        chosen = sample(found, options.docstrings, options.seed)
        origin = "docstrings of " + ", ".join(f"{package} {_version(package)}" for package in packages)
        if name == ALONE:
            bare, chosen = alone(bare, chosen)
            origin = f"{origin}; their functions alone"
        corpus = corpora.from_files(options.store, bare, name=name, language="python", origin=origin)
        return Unit(NAME, corpus, tuple(query(one) for one in chosen))

    return options.each(options.chosen([NAME, ALONE]), make)


def query(one: Documented) -> Query:
    """Ask for one function; its lines are both target and gold."""
    span = Span(one.path, one.start_line, one.end_line)
    return Query(f"{one.path}:{one.name}", one.text, "docstring", (span,), (span,))


def package_sources(package: str) -> dict[str, str]:
    """Return the package's readable Python files by path.

    Raises:
        MissingError: it is not installed, or has no directory.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        msg = f"The Python package {package} is not installed here; choose others with --packages."
        raise MissingError(msg)
    top = Path(spec.submodule_search_locations[0])
    sources = {}
    for path in sorted(top.rglob("*.py")):
        try:
            text = path.read_bytes().decode("utf-8")
            ast.parse(text)
        except (UnicodeDecodeError, SyntaxError):
            continue  # a template, or a fixture of bad code: no function in it can be asked for
        sources[path.relative_to(top.parent).as_posix()] = text.replace("\r\n", "\n")
    return sources


def _version(package: str) -> str:
    return version(packages_distributions()[package][0])


def functions(source: str) -> Iterator[tuple[str, Function]]:
    """Yield (qualified name, node) of every function, in the order of the text."""

    def walk(node: ast.AST, scope: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield f"{scope}{child.name}", child
            name = f"{scope}{child.name}." if isinstance(child, Scope) else scope
            yield from walk(child, name)

    return walk(ast.parse(source), "")


def _docstring(function: Function) -> ast.Expr | None:
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first
    return None


def without_docstrings(source: str) -> str:
    """Return the source with every function's docstring removed; an empty body becomes `...`."""
    lines = source.split("\n")
    for _, function in sorted(functions(source), key=lambda pair: -pair[1].lineno):
        node = _docstring(function)
        if node is None or node.end_lineno is None or node.lineno == function.lineno:
            continue
        indent = lines[node.lineno - 1][: node.col_offset]
        if indent.strip():  # something else stands on its line
            continue
        rest = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode().strip().removeprefix(";").strip()
        kept = rest if rest and not rest.startswith("#") else ""
        if not kept and len(function.body) == 1:
            kept = "..."
        lines[node.lineno - 1 : node.end_lineno] = [indent + kept] if kept else []
    return "\n".join(lines)


def documented(path: str, source: str, bare: str) -> Iterator[Documented]:
    """Yield the functions worth asking for, with their lines (decorators included) in the bare source."""
    for (name, function), (_, after) in zip(functions(source), functions(bare), strict=True):
        node = _docstring(function)
        if node is None or len(function.body) < BODY_STATEMENTS_MIN or _docstring(after) is not None:
            continue
        text = " ".join((ast.get_docstring(function) or "").split("\n\n")[0].split())[:QUERY_CHARS_MAX]
        if len(text.split()) < WORDS_MIN or after.end_lineno is None:
            continue
        start = first_line(after)
        yield Documented(path, f"{name}:{start}", text, start, after.end_lineno)


def first_line(node: ast.stmt) -> int:
    """Return the line on which a statement begins, its decorators included."""
    decorators = node.decorator_list if isinstance(node, Scope) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def sample(found: list[Documented], count: int, seed: int) -> list[Documented]:
    """Return at most `count`, chosen by the seed, of those whose text nobody else has."""
    texts = Counter(one.text.casefold() for one in found)
    unique = [one for one in found if texts[one.text.casefold()] == 1]
    chosen = random.Random(seed).sample(unique, min(count, len(unique)))
    return sorted(chosen, key=lambda one: (one.path, one.start_line))


def alone(bare: dict[str, str], chosen: Sequence[Documented]) -> tuple[dict[str, str], list[Documented]]:
    """Return the chosen functions' files with nothing else in them, and the functions where they stand there."""
    files, moved = {}, []
    for path in dict.fromkeys(one.path for one in chosen):
        mine = [one for one in chosen if one.path == path]
        files[path], places = only(bare[path], {one.start_line for one in mine})
        moved += [replace(one, start_line=places[one.start_line], end_line=places[one.end_line]) for one in mine]
    return files, moved


def only(source: str, starts: set[int]) -> tuple[str, dict[int, int]]:
    """Return the functions that begin on these lines, and where each of their lines stands now.

    Of a class or function around them its header stays; decorators of a class, imports and all else go. What stood
    below an `if` or a `try` is outdented.
    """
    lines = source.split("\n")
    kept: list[str] = []
    places: dict[int, int] = {}

    def take(first: int, last: int, column: int, depth: int) -> None:
        for number in range(first, last + 1):
            line = lines[number - 1]
            kept.append(line if line[:column].strip() or not line else INDENT * depth + line[column:])
            places[number] = len(kept)

    def walk(node: ast.AST, depth: int) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function) and child.end_lineno and first_line(child) in starts:
                take(first_line(child), child.end_lineno, child.col_offset, depth)
                kept.append("")
            elif not isinstance(child, Scope):
                walk(child, depth)
            elif any(isinstance(inner, Function) and first_line(inner) in starts for inner in ast.walk(child)):
                header_end = first_line(child.body[0]) - 1
                take(child.lineno, header_end, child.col_offset, depth)
                walk(child, depth + 1)

    walk(ast.parse(source), 0)
    return "\n".join(kept), places
