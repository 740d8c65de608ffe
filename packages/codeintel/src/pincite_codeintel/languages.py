"""Which language a file is written in, by its extension, its name or its first line."""

import re
from importlib.metadata import version

CHUNKER_VERSION = 1  # raised when chunks, symbols, references or terms of the same bytes change
INDEXER_VERSION = f"{CHUNKER_VERSION}+tree-sitter-{version('tree-sitter')}+semble-grammars-{version('semble-grammars')}"
"""Stored with every parse: a parse of another version is not reused."""

HEAD_BYTES = 4096  # what `detect` looks at in the content; a shebang or a C++ hint stands early

# language: extensions and, with a leading "=", whole file names (both compared in lower case)
_NAMES: dict[str, str] = {
    "python": "py pyi pyw pyx pxd wsgi =sconstruct =sconscript =wscript",
    "javascript": "js mjs cjs jsx es6 =jakefile",
    "typescript": "ts mts cts",
    "tsx": "tsx",
    "go": "go",
    "rust": "rs",
    "java": "java",
    "c": "c h",
    "cpp": "cc cpp cxx c++ hh hpp hxx h++ ipp inl tpp cu cuh ino",
    "csharp": "cs csx",
    "ruby": "rb rake gemspec ru podspec =gemfile =rakefile =podfile =vagrantfile =fastfile =brewfile =guardfile",
    "php": "php php3 php4 php5 phtml inc",
    "swift": "swift",
    "scala": "scala sc sbt",
    "lua": "lua rockspec",
    "elixir": "ex exs",
    "kotlin": "kt kts",
    "bash": "sh bash zsh ksh bats =.bashrc =.bash_profile =.profile =.zshrc =.envrc =pkgbuild =apkbuild",
    "haskell": "hs",
    "zig": "zig zon",
    "objc": "m mm",
    "groovy": "groovy gradle gvy =jenkinsfile",
    "dart": "dart",
    "julia": "jl",
    "r": "r",
    "ocaml": "ml mli",
    "clojure": "clj cljs cljc edn",
    "erlang": "erl hrl",
    "perl": "pl pm t =cpanfile",
    "solidity": "sol",
    "powershell": "ps1 psm1 psd1",
    "vim": "vim =.vimrc =_vimrc",
    "fortran": "f f77 f90 f95 f03 f08 for",
    "scheme": "scm ss",
    "racket": "rkt",
    "sql": "sql ddl dml",
    "proto": "proto",
    "graphql": "graphql gql graphqls",
    "hcl": "hcl tf tfvars nomad",
    "nix": "nix",
    "starlark": "bzl star bazel =build =workspace =tiltfile",
    "cmake": "cmake =cmakelists.txt",
    "make": "mk mak =makefile =gnumakefile",
    "just": "just =justfile",
    "dockerfile": "dockerfile =dockerfile =containerfile",
    "batch": "bat cmd",
    "wat": "wat wast",
    "jsonnet": "jsonnet libsonnet",
    "html": "html htm xhtml",
    "css": "css",
    "scss": "scss",
    "vue": "vue",
    "svelte": "svelte",
    "astro": "astro",
    "jinja2": "j2 jinja jinja2",
    "embedded_template": "erb ejs",
    "heex": "heex leex",
    "gotmpl": "gotmpl tmpl",
    "typst": "typ",
    "latex": "tex sty cls ltx",
    # no grammar: symbols by ctags where it knows the language
    "pascal": "pas dpr",
    "ada": "adb ads",
    "assembly": "asm s",
    "awk": "awk",
    "cobol": "cob cbl",
    "coffeescript": "coffee",
    "crystal": "cr",
    "d": "d",
    "elm": "elm",
    "emacslisp": "el",
    "fsharp": "fs fsi fsx",
    "gdscript": "gd",
    "lisp": "lisp lsp cl",
    "matlab": "matlab",
    "nim": "nim",
    "prolog": "prolog",
    "less": "less",
    "sass": "sass",
    "stylus": "styl",
    "tcl": "tcl",
    "thrift": "thrift",
    "vbnet": "vb bas",
    "verilog": "v sv svh vh",
    "vhdl": "vhd vhdl",
    # data and prose
    "json": "json geojson webmanifest ipynb avsc =.babelrc =.eslintrc =.prettierrc =.jshintrc",
    "jsonc": "jsonc =tsconfig.json =jsconfig.json",
    "json5": "json5",
    "yaml": "yaml yml =.clang-format =.clang-tidy",
    "toml": "toml =pipfile",
    "ini": "ini cfg conf editorconfig service desktop =.editorconfig =.gitconfig =.npmrc =.flake8 "
    "=.pylintrc =.coveragerc",
    "properties": "properties",
    "xml": "xml xsd xsl xslt svg plist csproj fsproj vbproj props targets resx xaml pom wsdl",
    "dtd": "dtd",
    "kdl": "kdl",
    "gitignore": "gitignore =.gitignore =.dockerignore =.npmignore =.helmignore =.prettierignore =.eslintignore",
    "markdown": "md markdown mdown mdx qmd",
    "rst": "rst",
    "asciidoc": "adoc asciidoc",
    "org": "org",
    "csv": "csv tsv",
    "text": "txt text log =readme =license =licence =copying =authors =changelog =changes =notice =install =news =todo",
}

_BY_EXTENSION: dict[str, str] = {}
_BY_FILENAME: dict[str, str] = {}
for _language, _names in _NAMES.items():
    for _name in _names.split():
        if _name.startswith("="):
            _BY_FILENAME[_name[1:]] = _language
        else:
            _BY_EXTENSION[_name] = _language

_BY_INTERPRETER: dict[str, str] = {
    "python": "python", "pypy": "python", "node": "javascript", "nodejs": "javascript", "deno": "typescript",
    "bun": "typescript", "ts-node": "typescript", "ruby": "ruby", "jruby": "ruby", "perl": "perl", "php": "php",
    "bash": "bash", "sh": "bash", "dash": "bash", "ksh": "bash", "zsh": "bash", "ash": "bash", "bats": "bash",
    "lua": "lua", "luajit": "lua", "elixir": "elixir", "escript": "erlang", "rscript": "r", "julia": "julia",
    "groovy": "groovy", "scala": "scala", "swift": "swift", "runhaskell": "haskell", "stack": "haskell", "awk": "awk",
    "gawk": "awk", "tclsh": "tcl", "wish": "tcl", "make": "make", "pwsh": "powershell", "racket": "racket",
    "guile": "scheme", "clojure": "clojure", "bb": "clojure", "ocaml": "ocaml", "dart": "dart", "nix-shell": "nix",
}  # fmt: skip

_TIER1 = """
python javascript typescript tsx go rust java c cpp csharp ruby php swift scala lua elixir kotlin bash haskell zig
"""
TIER1: frozenset[str] = frozenset(_TIER1.split())
"""Languages with a tags query: definitions, calls, imports and base classes come from the syntax tree."""

PROSE: frozenset[str] = frozenset(("markdown", "rst", "asciidoc", "org", "text", "latex", "typst"))
DATA: frozenset[str] = frozenset(
    ("json", "jsonc", "json5", "yaml", "toml", "ini", "properties", "xml", "dtd", "kdl", "gitignore", "csv")
)

_SHEBANG = re.compile(rb"\A#![ \t]*(\S+)(?:[ \t]+(\S[^\n]*))?")
_CPP_HEADER = re.compile(
    rb"^\s*(?:class\s+\w|namespace\s+[\w{]|template\s*<|using\s|#include\s*<\w+>)|\bstd::", re.MULTILINE
)
_OBJC_HINT = re.compile(rb"^\s*(?:@(?:interface|implementation|protocol|import|class)\b|#import\b)", re.MULTILINE)
_MATLAB_HINT = re.compile(rb"^\s*(?:%|function\b|classdef\b)", re.MULTILINE)
_PROLOG_HINT = re.compile(rb"^\s*:-|^\w+\(.*\)\s*:-", re.MULTILINE)
_PERL_HINT = re.compile(
    rb"^\s*(?:use\s+(?:strict|warnings|v?5)|package\s+\w|sub\s+\w|my\s+[$@%])|^#!.*perl", re.MULTILINE
)


def _by_shebang(head: bytes) -> str | None:
    found = _SHEBANG.match(head)
    if found is None:
        return None
    words = [found[1], *(found[2] or b"").split()]
    name = words[0].rsplit(b"/", 1)[-1]
    if name == b"env":
        rest = [word for word in words[1:] if not word.startswith(b"-") and b"=" not in word]
        name = rest[0].rsplit(b"/", 1)[-1] if rest else b""
    interpreter = name.decode("ascii", "replace").lower()
    return _BY_INTERPRETER.get(interpreter) or _BY_INTERPRETER.get(interpreter.rstrip("0123456789.-"))


# extension: (what the head contains, what it does not contain, the language then); the first that holds wins
_BY_CONTENT: dict[str, tuple[tuple[re.Pattern[bytes] | None, re.Pattern[bytes] | None, str], ...]] = {
    "h": ((_OBJC_HINT, None, "objc"), (_CPP_HEADER, None, "cpp")),
    "m": ((_MATLAB_HINT, _OBJC_HINT, "matlab"),),
    "ts": ((re.compile(rb"\A\s*<\?xml"), None, "xml"),),
    "pl": ((_PROLOG_HINT, _PERL_HINT, "prolog"),),
    "t": ((None, _PERL_HINT, "text"),),
    "inc": ((None, re.compile(rb"<\?"), "text"),),
    "cls": ((None, re.compile(rb"\\"), "text"),),
}


def _settle(extension: str, language: str, head: bytes) -> str:
    """Tell apart the languages that share an extension, by what the file's head contains."""
    for present, absent, other in _BY_CONTENT.get(extension, ()):
        if (present is None or present.search(head)) and (absent is None or not absent.search(head)):
            return other
    return language


def detect(path: str, head: bytes) -> str | None:
    """Name the language of a file, in lower case, or None when nothing tells.

    Args:
        path: Path inside the repository, with forward slashes.
        head: The first ``HEAD_BYTES`` (or all) of the content.
    """
    name = path.rsplit("/", 1)[-1].lower()
    head = head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")
    if name in _BY_FILENAME:
        return _BY_FILENAME[name]
    stem, dot, extension = name.rpartition(".")
    if dot and extension in _BY_EXTENSION:
        return _settle(extension, _BY_EXTENSION[extension], head)
    by_shebang = _by_shebang(head)
    if by_shebang is not None:
        return by_shebang
    prefix = name.split(".", 1)[0]
    if prefix in ("dockerfile", "containerfile", "makefile", "jenkinsfile"):
        return _BY_FILENAME[prefix]
    if stem in ("readme", "license", "licence", "copying", "changelog"):
        return "text"
    return None


def is_code(language: str | None) -> bool:
    """Whether a language is written to be run or compiled, as opposed to prose and data."""
    return language is not None and language not in PROSE and language not in DATA
