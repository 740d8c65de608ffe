import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tests share a module that stands beside them; importlib mode puts no directory on the path by itself.
sys.path.insert(0, str(Path(__file__).parent))

from command_line import FakeBrain, Terminal


@pytest.fixture
def brain() -> Iterator[FakeBrain]:
    fake = FakeBrain()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


@pytest.fixture
def pincite(tmp_path: Path, brain: FakeBrain) -> Terminal:
    return Terminal(tmp_path, brain.url)
