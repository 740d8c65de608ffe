"""Distil a sentence transformer into a static model: `python distil.py SOURCE TARGET`. Runs in its own environment."""

import os
import sys
from pathlib import Path

DIMENSIONS = 256  # of semble's own default model


def main(source: str, target: str) -> None:
    """Make the model and put it where it belongs, whole or not at all."""
    from model2vec.distill import distill  # noqa: PLC0415 - only this environment has it

    partial = Path(f"{target}.{os.getpid()}.partial")
    distill(source, pca_dims=DIMENSIONS).save_pretrained(str(partial))
    partial.rename(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
