"""The features of many texts, computed once and kept."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sources
from numpy.typing import NDArray

from smalt.core.settings import load_settings
from smalt.engines.moderation_worker.features import TextFeatures
from smalt.models.packs import pull_starter

MOST_ROWS = 120
"""Rows, of windows and of their sentences, that are learned from in a long text."""


def features(data_dir: Path | None = None) -> TextFeatures:
    """The encoder of the starter models, fetched when it is not there."""
    folder = (data_dir or sources.cache_dir()) / "models" / "embeddings"
    if not folder.is_dir():
        pull_starter(load_settings(data_dir=data_dir or sources.cache_dir()))
    return TextFeatures(str(folder / "all-minilm-l6-v2-int8.onnx"), str(folder / "tokenizer.json"))


def rows_of(texts: Sequence[str], encoder: TextFeatures) -> list[NDArray[np.float32]]:
    """The first rows of every text, out of a folder of earlier ones where they are there."""
    return [_rows_of(text, encoder) for text in texts]


def _rows_of(text: str, encoder: TextFeatures) -> NDArray[np.float32]:
    digest = hashlib.sha256(f"int8 {encoder.size} {MOST_ROWS} {text}".encode("utf-8", "replace")).hexdigest()
    path = sources.cache_dir() / "rows" / digest[:2] / f"{digest}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return kept["rows"].astype(np.float32)
    rows = encoder.of([text])[0][:MOST_ROWS]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.npz")
    np.savez_compressed(unfinished, rows=rows.astype(np.float16))
    unfinished.rename(path)
    return rows
