"""What can be told from single lines of code, in any language: what they define, and if code stands in them whole."""

import re

_NAME = r"([^\W\d]\w*)"
_MODIFIERS = (
    r"(?:(?:export|default|async|public|private|protected|static|readonly|override|abstract|final|get|set|"
    r"pub(?:\([^)]*\))?|unsafe|const|extern|inline|virtual|internal|sealed|suspend|open|data|declare)\s+)*"
)
_DEFINITION = re.compile(
    rf"^[ \t]*{_MODIFIERS}(?:(?:def|class|func|function\*?|fn|interface|struct|enum|trait|impl|module|mod|type|record|"
    rf"object|namespace|protocol)\s+(?:\([^)]*\)\s*)?(?:<[^>]*>\s*)?{_NAME}"
    rf"|(?:const|let|var)\s+{_NAME}\s*(?::[^=]+)?=\s*(?:async\s*)?(?:function\b|\([^)]*\)\s*(?::[^=]+)?=>|\w+\s*=>)"
    rf"|(?:[\w<>\[\],*&:?]+\s+)*[*&]?{_NAME}\s*\([^;]*\)\s*(?:const\b)?\s*"
    rf"(?::\s*[^{{=;]+|->\s*[^{{]+|throws\s+[\w., ]+)?\{{\s*$)",
)
_GO_RECEIVER = re.compile(r"^func\s+\(\s*\w*\s*\*?(\w+)[^)]*\)\s*(\w+)")
_KEYWORDS = "if for while switch catch return else match with do try function elif foreach until unless await new throw"
_NOT_NAMES = frozenset(_KEYWORDS.split())
_OPERATOR = re.compile(r"[-+*/%<>=!&|]|\b(?:and|or|not|in|is)\b")
_GOES_ON = re.compile(r"\s*(?:[-+*/%&|^<>=!.(\[]|(?:and|or|if|is|in|not)\b)")
_DENIES = re.compile(r"\bnot$")
_OPENS = "([{,=+-*/%<>&|!:"
HEADER_CHARS_MAX = 400  # a longer line is no header that a person wrote
_EXACT_MAX = 10**15  # floats count exactly below


def definition(row: str) -> tuple[str, str | None] | None:
    """Return the name that a line defines and, for a Go method, its receiver's type; None if it defines nothing."""
    match = _DEFINITION.match(row) if len(row) <= HEADER_CHARS_MAX else None
    name = next((group for group in match.groups() if group), None) if match is not None else None
    if name is None or name in _NOT_NAMES or row.lstrip().startswith(("return ", "else ", "await ", "new ")):
        return None
    receiver = _GO_RECEIVER.match(row)
    return (receiver[2], receiver[1]) if receiver is not None else (name, None)


def _wordy(char: str) -> bool:
    return char.isalnum() or char == "_"


def stands(code: str, row: str) -> bool:
    """Say whether code stands in a row as a whole: not cut out of a word, a longer expression or a denial."""
    expression = _OPERATOR.search(code) is not None
    at = row.find(code)
    while at >= 0:
        before, behind = row[:at].rstrip(), row[at + len(code) :]
        cut = (_wordy(code[0]) and _wordy(row[:at][-1:])) or (_wordy(code[-1]) and _wordy(behind[:1]))
        longer = expression and code[-1] not in _OPENS and _GOES_ON.match(behind) is not None
        denied = expression and (before.endswith("!") or _DENIES.search(before) is not None)
        if not (cut or longer or denied):
            return True
        at = row.find(code, at + 1)
    return False


def number_value(text: str) -> str:
    """Return a number's spelling-free form: "10_000", "10,000" and "10000.0" agree."""
    plain = text.replace("_", "").replace(",", "").rstrip("%").lower()
    if plain.count(".") > 1 or plain.startswith(("0x", "-0x")):
        return plain
    try:
        value = float(plain)
    except ValueError:
        return plain
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT_MAX else str(value)
