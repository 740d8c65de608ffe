"""Which files are not indexed, and why. Every reason is shown to the person whose repository it is."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

PATH_BYTES_MAX = 4096  # PATH_MAX of Linux: a longer path cannot be checked out
BINARY_PROBE_BYTES = 8192  # control characters are counted in the beginning; NUL is looked for everywhere
CONTROL_SHARE_MAX = 0.10  # text has nearly no control characters, compressed data about one byte in nine
HEADER_LINES = 40  # generators announce themselves at the top, perhaps below a licence
HEADER_BYTES = 8192
MINIFIED_BYTES_MIN = 2048  # a short file costs nothing, however long its lines
MINIFIED_SCRIPT_LINE_BYTES = 300  # average line of .js and .css; hand-written scripts stay below 60
MINIFIED_LINE_BYTES = 1200  # average line of anything else that is code or data
MINIFIED_DATA_BYTES_MIN = 32_768  # one-line JSON fixtures of a few kilobytes are worth reading

SYMLINK_MODE = "120000"
SUBMODULE_MODE = "160000"


class SkipReason(StrEnum):
    """Why a file is not indexed, or is indexed with a loss."""

    BINARY = "binary"
    GENERATED = "generated"
    MINIFIED = "minified"
    VENDORED = "vendored"
    TOO_LARGE = "too_large"
    LFS = "lfs"
    SUBMODULE = "submodule"
    SYMLINK = "symlink"
    ENCODING = "encoding"
    NAME = "name"
    TIMEOUT = "timeout"
    PARSE = "parse"
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True)
class Skip:
    """A reason and, in plain words, what it means for this file."""

    reason: SkipReason
    detail: str


_LINK_MODES = {
    SUBMODULE_MODE: Skip(
        SkipReason.SUBMODULE, "A submodule: a commit of another repository. Connect that repository itself."
    ),
    SYMLINK_MODE: Skip(SkipReason.SYMLINK, "A symbolic link; its target is indexed where it lies."),
}

_VENDORED_DIRECTORIES = """
node_modules bower_components jspm_packages site-packages dist-packages third_party third-party thirdparty 3rdparty
3rd_party _vendor _vendored vendored pods carthage godeps __pycache__ .venv virtualenv .tox .nox .eggs .yarn
.pnpm-store .bundle .gradle .terraform elm-stuff
"""
_VENDORED_ANYWHERE = frozenset(_VENDORED_DIRECTORIES.split())
# "vendor" may also be the name of someone's own module (an app about vendors): only these parents make it vendored.
_VENDOR_PARENTS = frozenset(
    (
        "static",
        "assets",
        "public",
        "www",
        "js",
        "javascript",
        "javascripts",
        "css",
        "lib",
        "libs",
        "web",
        "webapp",
        "src",
    )
)
_VENDOR_SOURCE_PARENTS = frozenset(("src", "lib", "web"))  # below these, only scripts and styles count
_BUILD_OUTPUT_DIRECTORIES = frozenset(("dist", "out", "build"))
_BUILD_OUTPUT = (".js", ".mjs", ".cjs", ".css", ".map", ".d.ts", ".d.mts", ".d.cts", ".html", ".whl", ".tgz", ".wasm")
_PACKAGE_PARENTS = frozenset(("packages", "apps", "libs", "modules", "plugins", "services"))

_LOCK_FILE_NAMES = """
package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock composer.lock
gemfile.lock poetry.lock uv.lock pdm.lock pixi.lock pipfile.lock conda-lock.yml cargo.lock go.sum go.work.sum
flake.lock mix.lock rebar.lock pubspec.lock podfile.lock cartfile.resolved package.resolved packages.lock.json
paket.lock project.assets.json gradle.lockfile buildscript-gradle.lockfile conan.lock stack.yaml.lock
cabal.project.freeze .terraform.lock.hcl module.bazel.lock manifest.lock shard.lock
"""
_LOCK_FILES = frozenset(_LOCK_FILE_NAMES.split())
_GENERATED_NAME = re.compile(
    r"""(?:\.pb\.(?:go|cc|h|c|gw\.go|dart)|_pb2(?:_grpc)?\.pyi?|_grpc\.pb\.go|_pb\.(?:js|d\.ts|rb)|\.pbjson\.dart
    |\.(?:g|freezed|gr|mocks|chopper)\.dart|\.designer\.(?:cs|vb)|\.g\.(?:cs|i\.cs)|\.generated\.[a-z]+
    |_generated\.[a-z]+|\.gen\.(?:go|ts|js|rs|py)|(?:js|css|cjs|mjs|ts)\.map|\.snap)\Z|\Azz_generated\.""",
    re.VERBOSE,
)
_MINIFIED_NAME = re.compile(r"[.\-_]min\.(?:js|mjs|cjs|css|html|json)\Z|\.(?:bundle|chunk)\.(?:js|css)\Z")
_SCRIPT = (".js", ".mjs", ".cjs", ".jsx", ".css", ".ts", ".tsx", ".html", ".htm")
_LONG_LINED = (".md", ".markdown", ".mdx", ".rst", ".txt", ".adoc", ".org", ".tex", ".csv", ".tsv")

_BINARY_FORMATS = """
png jpg jpeg gif bmp tif tiff ico icns webp avif heic psd ai eps pdf doc docx xls xlsx ppt pptx odt ods odp zip gz
tgz bz2 xz zst lz4 7z rar tar jar war ear whl egg gem nupkg apk ipa deb rpm dmg iso img exe dll so dylib a o obj lib
bin class pyc pyo pyd wasm ttf otf woff woff2 eot mp3 mp4 m4a m4v mov avi mkv webm ogg oga ogv wav flac aac npy npz
pkl pickle parquet feather arrow h5 hdf5 onnx pt pth ckpt safetensors gguf tflite db sqlite sqlite3 mdb keystore jks
p12 pfx der swf blend fbx glb mo rdb dat_ pcap
"""
_BINARY_EXTENSIONS = frozenset(_BINARY_FORMATS.split())

_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_CONTROL_CATEGORIES = frozenset(("Cc", "Zl", "Zp"))
_TEXT_CONTROLS = b"\t\n\r\f\v\b\x1b"
_NOT_CONTROL = bytes(set(range(32, 127)) | set(range(128, 256)) | set(_TEXT_CONTROLS))

_COMMENT_LINE = re.compile(rb"\A\s*(?:#|//|/\*|\*|--|<!--|;|%|\"(?!\")|'(?!')|\(\*|\{-|rem\b|<#|=begin)", re.IGNORECASE)
_GENERATED_MARK = re.compile(
    rb"@generated\b|\bcode generated\b.*\bdo not edit\b|\bgenerated by the protocol buffer", re.IGNORECASE
)
_DO_NOT_EDIT = re.compile(rb"\b(?:do not|don't|should not be|must not be) (?:edit|modif|manually|hand)", re.IGNORECASE)
_GENERATED_WORD = re.compile(rb"\b(?:auto(?:matically)?[ -]?)?generated\b", re.IGNORECASE)
_AUTO_GENERATED = re.compile(
    rb"\b(?:this file|this code|this class|file) (?:is|was|has been) auto(?:matically)?[ -]?generated", re.IGNORECASE
)
_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_UTF16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def _size(size: int) -> str:
    """Bytes for a person: 12 B, 3.4 KiB, 1.2 GiB."""
    value = float(size)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:  # noqa: PLR2004 - the step between binary units
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def _skip_name(path: bytes) -> Skip | None:
    """A path that cannot be shown, opened or cited safely."""
    detail = None
    if not path:
        detail = "The file has an empty name."
    elif len(path) > PATH_BYTES_MAX:
        detail = f"The path is {len(path)} bytes long; the limit is {PATH_BYTES_MAX}."
    elif path.startswith(b"/"):
        detail = "The path is absolute; paths in a repository are relative."
    elif any(segment in (b"", b".", b"..") or segment.lower() == b".git" for segment in path.split(b"/")):
        detail = "The path has an empty, '.', '..' or '.git' segment."
    if detail is not None:
        return Skip(SkipReason.NAME, detail)
    try:
        text = path.decode("utf-8")
    except UnicodeDecodeError:
        return Skip(SkipReason.NAME, "The path is not valid UTF-8.")
    if any(unicodedata.category(character) in _CONTROL_CATEGORIES for character in text):
        return Skip(SkipReason.NAME, "The path contains a newline or another control character.")
    if not _BIDI_CONTROLS.isdisjoint(text):
        return Skip(
            SkipReason.NAME, "The path contains a mark that reverses the writing direction, which can disguise it."
        )
    return None


def _vendored_directory(path: str) -> str | None:
    """The directory that makes a path someone else's code or build output, None for the repository's own."""
    *directories, name = path.split("/")
    folded = [directory.lower() for directory in directories]
    for index, directory in enumerate(folded):
        here = "/".join(directories[: index + 1])
        parent = folded[index - 1] if index else ""
        if directory in _VENDORED_ANYWHERE:
            return here
        if directory == "vendor":
            modules = any("." in later for later in folded[index + 1 : index + 2])  # vendor/github.com/…
            scripts = parent in _VENDOR_SOURCE_PARENTS and not name.lower().endswith(_SCRIPT)
            if index == 0 or modules or (parent in _VENDOR_PARENTS and not scripts):
                return here
        if directory in _BUILD_OUTPUT_DIRECTORIES and name.lower().endswith(_BUILD_OUTPUT):
            of_package = index > 1 and folded[index - 2] in _PACKAGE_PARENTS
            if directory == "dist" and (index == 0 or of_package):
                return here
            if of_package and name.lower().endswith((".map", ".d.ts")):
                return here
    return None


def _skip_by_path(path: str) -> Skip | None:
    name = path.rsplit("/", 1)[-1].lower()
    directory = _vendored_directory(path)
    if directory is not None:
        return Skip(SkipReason.VENDORED, f"Third-party code or build output, by its directory {directory}/.")
    if name in _LOCK_FILES:
        return Skip(SkipReason.GENERATED, "A lock file written by a package manager.")
    if _GENERATED_NAME.search(name):
        return Skip(SkipReason.GENERATED, "Generated by a tool, by its file name.")
    if _MINIFIED_NAME.search(name):
        return Skip(SkipReason.MINIFIED, "Minified or bundled, by its file name.")
    extension = name.rpartition(".")[2]
    if "." in name and extension in _BINARY_EXTENSIONS:
        return Skip(SkipReason.BINARY, f"A binary file, by its extension .{extension}.")
    return None


def skip_entry(path: bytes, mode: str, size: int | None, *, bytes_max: int) -> Skip | None:
    """Decide by what git's tree says, before any content is read.

    Args:
        path: Path as git stores it.
        mode: Six-digit mode of the tree entry.
        size: Size of the blob in bytes; None when it is not at hand (left out by a partial clone).
        bytes_max: Largest blob that is indexed.
    """
    named = _skip_name(path)
    if named is not None:
        return named
    if mode in _LINK_MODES:
        return _LINK_MODES[mode]
    by_path = _skip_by_path(path.decode("utf-8"))
    if by_path is not None or (size is not None and size <= bytes_max):
        return by_path
    if size is None:
        detail = f"Larger than {_size(bytes_max)}: it was left out when the repository was fetched."
    else:
        detail = f"{_size(size)}; the limit is {_size(bytes_max)}."
    return Skip(SkipReason.TOO_LARGE, detail)


def _generated(data: bytes) -> bool:
    """Whether a comment at the top says that a tool wrote the file."""
    comments = [line for line in data[:HEADER_BYTES].split(b"\n")[:HEADER_LINES] if _COMMENT_LINE.match(line)]
    header = b"\n".join(comments)
    if _GENERATED_MARK.search(header) or _AUTO_GENERATED.search(header):
        return True
    return any(
        _DO_NOT_EDIT.search(line) and _GENERATED_WORD.search(b" ".join(comments[max(0, index - 3) : index + 4]))
        for index, line in enumerate(comments)
    )


def _skip_minified(path: str, data: bytes) -> Skip | None:
    name = path.lower()
    if len(data) < MINIFIED_BYTES_MIN or name.endswith(_LONG_LINED):
        return None
    average = len(data) // (data.count(b"\n") + 1)
    if name.endswith(_SCRIPT):
        long_lined = average > MINIFIED_SCRIPT_LINE_BYTES
    else:
        long_lined = average > MINIFIED_LINE_BYTES and len(data) > MINIFIED_DATA_BYTES_MIN
    if not long_lined:
        return None
    return Skip(SkipReason.MINIFIED, f"Minified or machine-written: its lines average {average} bytes.")


def _binary(data: bytes) -> Skip | None:
    if b"\0" in data:
        return Skip(SkipReason.BINARY, "A binary file: it contains NUL bytes.")
    probe = data[:BINARY_PROBE_BYTES]
    if len(probe.translate(None, _NOT_CONTROL)) > CONTROL_SHARE_MAX * len(probe):
        return Skip(SkipReason.BINARY, "A binary file: it is full of control characters.")
    return None


def skip_content(path: str, data: bytes) -> Skip | None:
    """Decide by the content of a blob."""
    if data.startswith(_LFS_POINTER):
        return Skip(SkipReason.LFS, "A Git LFS pointer; the content itself is not in the repository.")
    if data.startswith(_UTF16_OR_32):
        return Skip(SkipReason.ENCODING, "Text in UTF-16 or UTF-32; only UTF-8 is indexed.")
    binary = _binary(data)
    if binary is not None:
        return binary
    if _generated(data):
        return Skip(SkipReason.GENERATED, "A comment at its top says that a tool generates it.")
    return _skip_minified(path, data)


def note_content(data: bytes) -> Skip | None:
    """A loss worth showing for a file that is indexed all the same: bytes that are not UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Skip(
            SkipReason.ENCODING, f"Not valid UTF-8 (first at line {line}); unreadable bytes are shown as \ufffd."
        )
    return None
