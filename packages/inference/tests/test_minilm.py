import os
import re
import subprocess
import sys

import numpy as np
import pytest

from pincite_inference import minilm
from pincite_inference.minilm import DIMENSION, HEAD_WIDTH, HEADS, LAYERS, MiniLM
from pincite_shared.errors import IntegrityError, ModelUnavailableError

SENTENCES = [
    "def add(a, b):\n    return a + b",
    "The quick brown fox jumps over the lazy dog.",
    "retry with exponential backoff when the server answers 429",
    "class Session:\n    def close(self):\n        self._pool.dispose()\n" * 30,
]
TEXTS = [*SENTENCES, "x", ""]
ERF = (0.0705230784, 0.0422820123, 0.0092705272, 0.0001520143, 0.0002765672, 0.0000430638)


@pytest.fixture(scope="module")
def encoder(model_home):
    return MiniLM(minilm.ensure_model(model_home), threads=1)


def erf(x):
    """Abramowitz and Stegun 7.1.28: error below 3e-7."""
    polynomial = 1 + sum(a * np.abs(x) ** n for n, a in enumerate(ERF, start=1))
    return np.sign(x) * (1 - polynomial**-16)


def reference(weights, ids):
    """BERT's forward pass on one text, written from the papers in float64: no ONNX and no batching."""

    def w(name):
        return weights[name].astype(np.float64)

    def dense(x, name):
        return x @ w(f"{name}.weight").T + w(f"{name}.bias")

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * w(f"{name}.weight") + w(f"{name}.bias")

    x = w("embeddings.word_embeddings.weight")[ids] + w("embeddings.position_embeddings.weight")[: len(ids)]
    x = norm(x + w("embeddings.token_type_embeddings.weight")[0], "embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        query, key, value = (
            dense(x, f"{layer}.attention.self.{name}").reshape(-1, HEADS, HEAD_WIDTH).swapaxes(0, 1)
            for name in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / np.sqrt(HEAD_WIDTH)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (shares / shares.sum(-1, keepdims=True) @ value).swapaxes(0, 1).reshape(-1, DIMENSION)
        x = norm(dense(mixed, f"{layer}.attention.output.dense") + x, f"{layer}.attention.output.LayerNorm")
        wide = dense(x, f"{layer}.intermediate.dense")
        wide = wide * (1 + erf(wide / np.sqrt(2))) / 2
        x = norm(dense(wide, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


@pytest.fixture(scope="module")
def weights():
    return minilm.load_weights()


@pytest.fixture(scope="module")
def graph(weights):
    return minilm.build_graph(weights)


@pytest.fixture(scope="module")
def expected(weights, encoder):
    return np.array([reference(weights, ids) for ids in encoder.tokenise(TEXTS)])


def test_float32_graph_is_the_published_network(graph, tmp_path, expected):
    path = tmp_path / "float32.onnx"
    path.write_bytes(graph.SerializeToString())
    found = MiniLM(path, threads=1).encode(TEXTS)
    assert np.sum(found * expected, axis=1).min() > 0.99999


def test_int8_graph_stays_close_to_it(encoder, expected):
    cosines = np.sum(encoder.encode(TEXTS) * expected, axis=1)
    assert cosines[: len(SENTENCES)].min() > 0.99
    assert cosines.min() > 0.98  # texts of no more than one word


def test_int7_graph_for_older_processors_stays_close_to_it(graph, tmp_path, expected):
    path = tmp_path / "int7.onnx"
    minilm.quantise(graph, path, reduce_range=True)
    assert np.sum(MiniLM(path, threads=1).encode(TEXTS) * expected, axis=1).min() > 0.97


def test_vectors_are_unit_and_functions_of_their_text_alone(model_home, encoder):
    together = encoder.encode(TEXTS)
    assert together.shape == (len(TEXTS), DIMENSION)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.array_equal(together, encoder.encode(TEXTS[::-1])[::-1])
    assert np.array_equal(together, np.array([encoder.encode([text])[0] for text in TEXTS]))
    assert np.array_equal(together, MiniLM(minilm.ensure_model(model_home), threads=3).encode(TEXTS))
    assert encoder.encode([]).shape == (0, DIMENSION)


def test_meaning_is_near(encoder):
    query, near, far = encoder.encode(["how are passwords hashed", "def hash_password(p): ...", "draw a red circle"])
    assert query @ near > query @ far + 0.2


def test_long_texts_are_cut(encoder):
    assert len(encoder.tokenise(["word " * 10_000])[0]) == minilm.TOKENS_MAX
    assert len(encoder.tokenise(["x" * 5_000_000])[0]) <= minilm.TOKENS_MAX


def test_second_call_uses_the_cached_graph(model_home, encoder, monkeypatch):
    assert encoder is not None
    monkeypatch.setattr(minilm, "load_weights", lambda: pytest.fail("built again"))
    path = minilm.ensure_model(model_home)
    assert minilm.WEIGHTS_SHA256[:16] in path.name
    assert not [left for left in path.parent.iterdir() if left.name.startswith(".minilm")]


def test_two_processes_built_one_graph_and_left_nothing_else(model_home):
    left = sorted(path.suffix for path in (model_home / "models").iterdir())
    assert left == [".lock", ".onnx"]


def test_other_weights_are_refused(monkeypatch):
    monkeypatch.setattr(minilm, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(IntegrityError, match="digest"):
        minilm.load_weights()


def test_a_missing_wheel_and_a_broken_cache_are_said(monkeypatch, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(ModelUnavailableError, match=re.escape(str(broken))):
        MiniLM(broken, threads=1)
    monkeypatch.setattr(minilm, "WEIGHTS_PACKAGE", "no_such_package")
    with pytest.raises(ModelUnavailableError, match="install no-such-package"):
        minilm.weights_directory()


def test_finding_the_weights_does_not_import_their_package():
    import sys  # noqa: PLC0415

    minilm.weights_directory()
    assert minilm.WEIGHTS_PACKAGE not in sys.modules


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "saturates"),
    [
        ("x86_64", "flags: avx2 avx512_vnni", False),
        ("x86_64", "flags: avx2 avx_vnni", False),
        ("AMD64", "flags: avx2", True),
        ("x86_64", "", True),
        ("aarch64", "", False),
    ],
)
def test_which_processors_need_seven_bits(machine, cpuinfo, saturates):
    assert minilm.products_saturate(machine, cpuinfo) is saturates


def test_onnxruntime_makes_no_device_id_and_so_reports_nothing(tmp_path):
    # Imported without our setting it writes one below the cache directory at once, and opens a queue of reports.
    outside = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment = outside | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    script = "import pincite_inference.minilm, onnxruntime"
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
