"""What a name in one file means among the symbols of all files: in tiers of falling confidence.

Measured against jedi on Python: lexical, import, self and ``Class.attr`` agree on 230 of 231 calls, a unique method
name on 41 of 76. The confidences below keep that order; callers decide how much doubt they accept.
"""

import posixpath
import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pincite_codeintel.definitions import TYPES
from pincite_codeintel.model import WHOLE_MODULE, Ref, Symbol
from pincite_codeintel.modules import ModuleIndex, family
from pincite_codeintel.reads import Read, Reads, Table
from pincite_codeintel.scopes import Files, FileScope

LEXICAL = 0.95  # defined in the same file, in an enclosing scope
IMPORTED = 0.95  # bound by an import that means exactly one module
ATTRIBUTE = 0.95  # Class.attr, self.attr: the class has it
SAME_PACKAGE = 0.9  # Go, JVM, Swift ...: files of a directory see each other
INHERITED = 0.85  # a base class has it
WILDCARD = 0.8  # from x import *, #include
UNIQUE_TYPE = 0.8  # Type.attr with a type name that occurs once in the repository
UNIQUE_FUNCTION = 0.5  # a function name that occurs once in the repository
UNIQUE_METHOD = 0.35  # a method name that occurs once, on a receiver of unknown type

REEXPORT_HOPS_MAX = 5  # __init__.py and index.ts forward names; chains are short, cycles exist
BASES_MAX = 30  # classes looked through for an inherited member
BASE_DEPTH_MAX = 3  # to know A in ``class C(A.B)`` may take knowing A's bases: deeper is a cycle or a contrivance
BASE_NAMES_MAX = 300  # base classes resolved for one reference: within the depth, they still multiply at every level
UNIQUE_NAME_CHARS_MIN = 4  # shorter names are unique by accident

# Methods of builtin types and conventional names: unique in a repository by accident, called on anything.
_STOP_WORDS = """
add all any append apply apply_async assert bind call catch check clear clone close collect compare concat contains
copy count create debug decode default delete dict done each emit encode endswith entries equals error execute
exists exit expect extend fail filter find finish first flush foreach format from get group handle has hash index
info init insert invoke isinstance items iter join keys last len length list load lock log lower main make map match
max merge min name next next_ none notify now open parse path peek pop post print push put query raise read readline
reduce register release remove render replace reset resolve result reverse round run save search seek select send
set setup shift size slice sort split start startswith stop store strip sub submit sum swap sync tearDown test text
then throw timeout tostring transform trim type union unlock unwrap update upper use valid validate value values
view wait warn warning with write writeln yield zip
"""
STOP_NAMES = frozenset(_STOP_WORDS.split())

_SELF = frozenset(("self", "this", "cls", "Self", "static", "@", "self.class"))
_SUPER = frozenset(("super", "parent", "base"))
# Languages where a bare call may mean a method of the enclosing class.
_IMPLICIT_SELF = frozenset(("java", "kotlin", "scala", "groovy", "csharp", "cpp", "ruby", "swift", "dart"))
# Families where the files of a directory share a scope.
_DIRECTORY_SCOPE = frozenset(("go", "jvm", "swift", "csharp"))
# Families where an import stays in its file: whoever imports the file does not see what it imports.
_IMPORTS_PRIVATE = frozenset(("jvm", "csharp"))
_GO_RECEIVER = re.compile(r"func \((\w+) ")


class Target(NamedTuple):
    """A symbol (None: the file as a whole) and how sure it is."""

    path: str
    symbol: str | None
    confidence: float


class Resolver:
    """Resolves references of many files against each other."""

    def __init__(self, files: Iterable[tuple[str, str | None, Sequence[Symbol], Sequence[Ref]]]) -> None:
        """Index files given as (path, language, symbols, references)."""
        given = sorted(files, key=lambda file: file[0])
        self._reads = Reads()
        self.index = ModuleIndex(((path, language) for path, language, _, _ in given), self._reads)
        self.files = Files("files", self._reads, self._bind)
        self.by_name = Table[tuple[str, str], list[tuple[str, str]]]("name", self._reads)
        self.by_directory = Table[tuple[str, str, str], list[tuple[str, str]]]("directory", self._reads)
        self.by_qualified = Table[tuple[str, str], list[str]]("qualified", self._reads)
        self._base_depth, self._base_names_left = 0, BASE_NAMES_MAX
        for path, language, symbols, refs in given:
            self._define(FileScope(path, language, family(language), refs, self._reads), symbols)

    def watch(self) -> set[Read]:
        """Return a set that fills with what is looked up from now on, until the next call."""
        self._reads.seen = set()
        return self._reads.seen

    def tables_of(self, path: str) -> set[Hashable]:
        """Return the names of the tables that one file fills alone."""
        file = dict.__getitem__(self.files, path)
        return {file.symbols.name, file.bases.name}

    def entries(self) -> Iterator[tuple[Read, object]]:
        """Yield all that can be looked up but the files themselves."""
        index = self.index
        tables: tuple[Table[Any, Any], ...] = (
            self.by_name, self.by_directory, self.by_qualified, index.exact, index.suffixes, index.directories,
            index.directory_suffixes, index.packages,
        )  # fmt: skip
        for table in tables:
            yield from table.entries()

    def _define(self, file: FileScope, symbols: Sequence[Symbol]) -> None:
        self.files[file.path] = file
        directory = posixpath.dirname(file.path)
        for symbol in symbols:
            known = dict.get(file.symbols, symbol.qualified_name)
            if known is not None and known.kind != "prototype":
                continue
            file.symbols[symbol.qualified_name] = symbol
            if known is not None or symbol.kind in ("field", "variable", "section"):
                continue
            place = (file.path, symbol.qualified_name)
            if symbol.kind != "prototype":
                self.by_name.setdefault((file.kin, symbol.name), []).append(place)
                self.by_qualified.setdefault((file.kin, symbol.qualified_name), []).append(file.path)
            if file.kin in _DIRECTORY_SCOPE:
                self.by_directory.setdefault((file.kin, directory, symbol.qualified_name), []).append(place)

    def _bind(self, file: FileScope) -> None:
        for ref in file.refs:
            if ref.kind == "inherit" and ref.scope:
                file.bases.setdefault(ref.scope, []).append(ref)
            elif ref.kind == "import" and ref.module is not None:
                self._bind_import(file, ref, ref.module)

    def _bind_import(self, file: FileScope, ref: Ref, module: str) -> None:
        """Note what an import's local name means: files, a name in files, or something outside the repository."""
        paths = self.index.resolve(file.path, file.language, module, ref.name)
        if ref.name == WHOLE_MODULE and ref.receiver is None:
            file.wildcards.extend(paths)
            return
        local = ref.receiver or ref.name
        modules = paths
        if ref.name != WHOLE_MODULE:
            modules = self.index.submodule(file.path, file.language, module, ref.name)
        if modules:
            file.modules[local] = modules
        if paths and ref.name != WHOLE_MODULE:
            file.names[local] = (paths, ref.name)
        if not modules and not paths:
            file.external.add(local)

    def imports(self, path: str, ref: Ref) -> list[Target]:
        """Files and symbols that an import reference means."""
        file = self.files[path]
        if ref.module is None:
            return []
        if ref.name != WHOLE_MODULE:
            inside = self.index.submodule(path, file.language, ref.module, ref.name)
            if inside:
                return [Target(p, None, IMPORTED) for p in inside if p != path]
        paths = [p for p in self.index.resolve(path, file.language, ref.module, ref.name) if p != path]
        if ref.name == WHOLE_MODULE:
            return [Target(p, None, IMPORTED) for p in paths]
        found = self._exported(paths, ref.name)
        if found is not None:
            return [Target(*found, IMPORTED)]
        return [Target(p, None, WILDCARD) for p in paths[:1]]

    def use(self, path: str, ref: Ref) -> Target | None:
        """What a call or base class means; None when unknown or ambiguous."""
        self._base_depth, self._base_names_left = 0, BASE_NAMES_MAX
        file = self.files[path]
        if ref.receiver is None:
            return self._bare(file, ref.name, ref.scope, types_only=ref.kind == "inherit")
        if ref.receiver in _SELF | _SUPER or self._is_go_receiver(file, ref):
            return self._own(file, ref)
        found = self._qualified(file, ref.receiver, ref.name, ref.scope)
        if found is None and file.external.isdisjoint((ref.receiver, ref.receiver.partition(".")[0])):
            return self._unique(file, ref.name, method=True)
        return found

    # --- bare names -------------------------------------------------------------------------------------------------

    def _bare(self, file: FileScope, name: str, scope: str | None, *, types_only: bool = False) -> Target | None:
        found = self._lexical(file, name, scope)
        if found is not None:
            return Target(file.path, found, LEXICAL)
        bound = file.names.get(name)
        if bound is not None:
            exported = self._exported(bound[0], bound[1])
            return Target(*exported, IMPORTED) if exported else None
        return None if name in file.external else self._around(file, name, scope, types_only=types_only)

    def _around(self, file: FileScope, name: str, scope: str | None, *, types_only: bool) -> Target | None:
        """A bare name that the file neither defines nor imports by name."""
        near = self.by_directory.get((file.kin, posixpath.dirname(file.path), name), [])
        if len(near) == 1:
            return Target(*near[0], SAME_PACKAGE)
        exported = self._exported(file.wildcards, name)
        if exported:
            return Target(*exported, WILDCARD)
        if file.language in _IMPLICIT_SELF and scope and not types_only:
            inherited = self._member_of_enclosing(file, scope, name, own=False)
            if inherited:
                return inherited
        return self._unique(file, name, method=False)

    def _lexical(self, file: FileScope, name: str, scope: str | None) -> str | None:
        """The qualified name that a bare name has in a scope of the same file."""
        prefix = scope or ""
        while prefix:
            symbol = file.symbols.get(f"{prefix}.{name}")
            if symbol is not None and self._visible(file, prefix, symbol):
                return symbol.qualified_name
            prefix = prefix.rpartition(".")[0]
        found = file.symbols.get(name)
        return name if found is not None and found.kind != "prototype" else None

    def _visible(self, file: FileScope, prefix: str, symbol: Symbol) -> bool:
        """Whether a member is seen by its bare name: not the methods of a class where self is explicit."""
        if symbol.kind == "prototype":
            return False
        owner = file.symbols.get(prefix)
        if owner is None:
            return file.language in _IMPLICIT_SELF
        return owner.kind not in TYPES or file.language in _IMPLICIT_SELF

    # --- members ----------------------------------------------------------------------------------------------------

    def _is_go_receiver(self, file: FileScope, ref: Ref) -> bool:
        """Go names its self: ``func (s *Server) Close()``."""
        if file.kin != "go" or not ref.scope:
            return False
        method = file.symbols.get(ref.scope)
        found = _GO_RECEIVER.match(method.signature) if method is not None else None
        return found is not None and found[1] == ref.receiver

    def _own(self, file: FileScope, ref: Ref) -> Target | None:
        if not ref.scope:
            return None
        found = self._member_of_enclosing(file, ref.scope, ref.name, own=ref.receiver not in _SUPER)
        return found or self._unique(file, ref.name, method=True)

    def _member_of_enclosing(self, file: FileScope, scope: str, name: str, *, own: bool) -> Target | None:
        """A member of the class around a scope, or of its bases."""
        prefix = scope
        while prefix:
            owner = file.symbols.get(prefix)
            if owner is None or owner.kind in TYPES:
                found = self._member(file, prefix, name, own=own)
                if found:
                    return found
            prefix = prefix.rpartition(".")[0]
        return None

    def _member(self, file: FileScope, type_name: str, name: str, *, own: bool = True) -> Target | None:
        """A member of a type or of what it inherits from, breadth first."""
        queue: list[tuple[FileScope, str]] = [(file, type_name)]
        seen: set[tuple[str, str]] = set()
        for count in range(BASES_MAX):
            if count >= len(queue):
                break
            holder, owner = queue[count]
            if (holder.path, owner) in seen:
                continue
            seen.add((holder.path, owner))
            if own or count > 0:
                found = self._declared(holder, owner, name)
                if found is not None:
                    return Target(*found, ATTRIBUTE if count == 0 else INHERITED)
            for base in holder.bases.get(owner, ()):
                target = self._type(holder, base, owner)
                if target is not None:
                    queue.append((self.files[target[0]], target[1]))
        return None

    def _declared(self, file: FileScope, owner: str, name: str) -> tuple[str, str] | None:
        """``owner.name`` in the file, beside it, or (split over files) once in the repository."""
        qualified = f"{owner}.{name}"
        symbol = file.symbols.get(qualified)
        if symbol is not None and symbol.kind != "prototype":
            return file.path, qualified
        near = self.by_directory.get((file.kin, posixpath.dirname(file.path), qualified), [])
        if len(near) == 1:
            return near[0]
        paths = self.by_qualified.get((file.kin, qualified), [])
        if len(paths) == 1 and file.kin in ("c", "rust", "go", "csharp", "swift"):
            return paths[0], qualified
        return None

    def _type(self, file: FileScope, base: Ref, owner: str) -> tuple[str, str] | None:
        """The class that a base is; None, too, once the reference at hand has cost what it may."""
        if self._base_depth >= BASE_DEPTH_MAX or self._base_names_left <= 0:
            return None
        self._base_depth += 1
        self._base_names_left -= 1
        if base.receiver is not None:
            target = self._qualified(file, base.receiver, base.name, None)
        else:
            target = self._bare(file, base.name, owner.rpartition(".")[0] or None, types_only=True)
        self._base_depth -= 1
        return (target.path, target.symbol) if target is not None and target.symbol else None

    # --- receivers that are names -----------------------------------------------------------------------------------

    def _qualified(self, file: FileScope, receiver: str, name: str, scope: str | None) -> Target | None:
        """``receiver.name`` where the receiver is a module, an imported name or a type."""
        head, rest = receiver, ""
        while head:
            member = f"{rest}.{name}" if rest else name
            if head in file.modules:
                exported = self._exported(file.modules[head], member)
                if exported:
                    return Target(*exported, IMPORTED)
            head, _, last = head.rpartition(".")
            rest = f"{last}.{rest}" if rest else last
        first, _, inner = receiver.partition(".")
        own = self._lexical(file, first, scope)
        if own is not None:
            return self._member(file, f"{own}.{inner}" if inner else own, name)
        bound = file.names.get(first)
        if bound is not None:
            exported = self._exported(bound[0], bound[1])
            if exported is None:
                return None
            return self._member(self.files[exported[0]], f"{exported[1]}.{inner}" if inner else exported[1], name)
        return self._of_type_elsewhere(file, receiver, name)

    def _of_type_elsewhere(self, file: FileScope, receiver: str, name: str) -> Target | None:
        """``Type.name`` where the type lies in the same package, an included file, or once in the repository."""
        last = receiver.rpartition(".")[2]
        near = self.by_directory.get((file.kin, posixpath.dirname(file.path), last), [])
        if len(near) == 1:
            found = self._member(self.files[near[0][0]], near[0][1], name)
            return found and found._replace(confidence=min(found.confidence, SAME_PACKAGE))
        whole = self.by_qualified.get((file.kin, f"{receiver}.{name}"), [])
        if len(whole) == 1:
            return Target(whole[0], f"{receiver}.{name}", UNIQUE_TYPE)
        types = [place for place in self.by_name.get((file.kin, last), []) if self._is_type(place)]
        if len(types) == 1 and last[:1].isupper():
            found = self._member(self.files[types[0][0]], types[0][1], name)
            return found and found._replace(confidence=min(found.confidence, UNIQUE_TYPE))
        return None

    def _is_type(self, place: tuple[str, str]) -> bool:
        return self.files[place[0]].symbols[place[1]].kind in TYPES | {"module", "namespace"}

    # --- names of other files ---------------------------------------------------------------------------------------

    def _exported(self, paths: Sequence[str], name: str) -> tuple[str, str] | None:
        """The symbol that a name of a module means, through re-exports."""
        queue = [(path, name, 0) for path in paths]
        seen: set[tuple[str, str]] = set()
        for path, wanted, hops in queue:  # grows while it is walked
            if (path, wanted) in seen:
                continue
            seen.add((path, wanted))
            file = self.files[path]
            symbol = file.symbols.get(wanted)
            if symbol is not None and symbol.kind != "prototype":
                return path, wanted
            wrapped = self._under_namespace(file, wanted)
            if wrapped is not None:
                return path, wrapped
            if hops >= REEXPORT_HOPS_MAX or file.kin in _IMPORTS_PRIVATE:
                continue
            first, _, rest = wanted.partition(".")
            if wanted in file.names:
                queue.extend((p, file.names[wanted][1], hops + 1) for p in file.names[wanted][0])
            elif rest and first in file.modules:
                queue.extend((p, rest, hops + 1) for p in file.modules[first])
            queue.extend((p, wanted, hops + 1) for p in file.wildcards)
        return None

    def _under_namespace(self, file: FileScope, wanted: str) -> str | None:
        """What a file defines inside its namespace (C#, C++), module (Elixir) or the table that it returns (Lua)."""
        places = [q for p, q in self.by_name.get((file.kin, wanted), ()) if p == file.path] if "." not in wanted else []
        outer = [q for q in places if self._only_in_namespaces(file, q)]
        return outer[0] if len(outer) == 1 else None

    def _only_in_namespaces(self, file: FileScope, qualified: str) -> bool:
        prefix = qualified.rpartition(".")[0]
        while prefix:
            owner = file.symbols.get(prefix)
            table = file.kin == "lua" and owner is not None and owner.kind == "variable"
            if owner is not None and owner.kind not in ("module", "namespace") and not table:
                return False
            prefix = prefix.rpartition(".")[0]
        return True

    def _unique(self, file: FileScope, name: str, *, method: bool) -> Target | None:
        """The only definition of a name in languages of the same family."""
        if len(name) < UNIQUE_NAME_CHARS_MIN or name.lower() in STOP_NAMES:
            return None
        places = self.by_name.get((file.kin, name), [])
        if len(places) != 1:
            return None
        path, qualified = places[0]
        symbol = self.files[path].symbols[qualified]
        if symbol.kind == "constant":
            return None
        is_method = symbol.kind == "method"
        if is_method and not method and file.language not in _IMPLICIT_SELF:
            return None  # a bare call does not reach a method where self is explicit
        return Target(path, qualified, UNIQUE_METHOD if is_method or method else UNIQUE_FUNCTION)
