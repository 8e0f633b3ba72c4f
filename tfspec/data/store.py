"""Features computed once and kept on disk, for all epochs of all runs."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import keras
import numpy as np
import pandas as pd
import soundfile
import soxr
import tensorflow as tf

from tfspec import audio, dsp, frontends
from tfspec._version import __version__
from tfspec.base.errors import UserError
from tfspec.base.files import clear_temporaries, written_beside
from tfspec.base.progress import Tracker, untracked
from tfspec.base.sources import code_of, package_code
from tfspec.base.threads import threads
from tfspec.borrowed import all_layers
from tfspec.data.precomputed import BATCH, feature_batches
from tfspec.data.readers import Reader, places_of

Dtype = Literal["float16", "float32"]

FORMAT = 1
"""To be raised when the files are laid out otherwise."""
SHARD_BYTES = 2**26
"""What is computed again after a kill, at most."""
HEADER_BYTES, CHECKSUM_BYTES = 12, 4
"""Of a TFRecord: its length and that number's checksum before it, its own checksum behind it."""
ABANDONED_SECONDS = 600
"""A shard that nobody has written to for so long belongs to a process that was killed."""


@runtime_checkable
class Source(Reader, Protocol):
    """Reader that can tell whether what it reads has changed."""

    def identities(self, rows: pd.DataFrame) -> Sequence[str]:
        """Return a text for each row, which changes when the row's signal does."""


class FeatureStore:
    """A folder that holds what a layer makes of a manifest's signals, and reads it by the rows' index.

    The folder is named by a fingerprint of all that the features come from: the layer's configuration and
    weights, the signals' identities (of a recording its name, size and time of change, and how it is
    decoded), the number format, the versions of the libraries that compute, and the code of the layer, of the
    reader, of `tfspec.dsp`, `tfspec.frontends` and `tfspec.audio`. What differs in any of these is another
    store, so that nothing stale is ever read. Sizes and times of files
    are taken for their content, as by make: reading gigabytes to find that nothing has changed would cost
    what the store saves. The order of the rows does not matter, nor does where the recordings' folder is.

    The features lie in shards, TFRecord files of raw records of one length. So `tf.data.TFRecordDataset` with
    `tf.io.decode_raw` reads them, and so can any row be read by its place: a full shuffle needs no memory.
    A shard is whole or not there. Several processes may fill the same store, and do the work twice.

    Args:
        root: what holds the stores.
        manifest: whatever `read` needs.
        read: such as an `AudioReader`; has a method `identities`.
        layer: from (batch, *signal_shape) signals to features of fixed shape.
        dtype: number format on disk.

    Raises:
        UserError: a file is missing, or the reader has no `identities`.

    Example:
        >>> import tempfile
        >>> from tfspec.data.readers import ArrayReader
        >>> manifest, signals = pd.DataFrame({"label": ["a", "b", "a"]}), ArrayReader(np.zeros([3, 1000]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = FeatureStore(folder, manifest, signals, frontends.Spectrogram(256, 128))
        ...     store.fill()
        ...     store(manifest.iloc[[2, 0]]).shape
        (2, 6, 129, 1)
    """

    sample_rate = None

    def __init__(
        self,
        root: str | os.PathLike,
        manifest: pd.DataFrame,
        read: Reader,
        layer: keras.Layer,
        dtype: Dtype = "float32",
    ):
        if not isinstance(read, Source):
            raise UserError(
                f"{type(read).__name__} has no method `identities`, so nobody can know whether features that "
                "are kept are still those of its signals. Give it one, as AudioReader has."
            )
        # Built, so that its shape and weights are known
        self.signal_shape: tuple[int, ...] = tuple(layer(tf.zeros([1, *read.signal_shape])).shape[1:])
        self.dtype = np.dtype(dtype)
        identities, first, self._places = np.unique(
            np.asarray(read.identities(manifest), dtype=str), return_index=True, return_inverse=True
        )
        self._index, self._manifest = manifest.index, manifest.iloc[first]
        self._read, self._layer = read, layer
        self._description = {
            "format": FORMAT,
            "tfspec": __version__,
            "dtype": str(self.dtype),
            "shape": self.signal_shape,
            "rows": len(identities),
            "layer": _configuration(layer),
            "libraries": {library.__name__: library.__version__ for library in (tf, keras, np, soxr)},
            "libsndfile": soundfile.__libsndfile_version__,
        }
        digest = hashlib.blake2b(json.dumps(self._description, sort_keys=True).encode(), digest_size=16)
        for part in itertools.chain(_code(layer, read), layer.get_weights(), identities):
            digest.update(part.encode() if isinstance(part, str) else bytes(part))
            digest.update(b"\n")
        self.folder = Path(root, digest.hexdigest())

    @property
    def num_rows(self) -> int:
        """Number of records: of the manifest's rows, those that differ."""
        return len(self._manifest)

    @property
    def row_bytes(self) -> int:
        """Size of one row's features on disk."""
        return self.dtype.itemsize * math.prod(self.signal_shape)

    @property
    def rows_per_shard(self) -> int:
        """Number of rows of every shard but the last; so many whole batches."""
        return BATCH * max(1, round(SHARD_BYTES / (self.row_bytes * BATCH)))

    @property
    def shards(self) -> list[Path]:
        """Paths of the shards, in order."""
        return [self._shard(number) for number in range(self._num_shards)]

    @property
    def _num_shards(self) -> int:
        return -(-self.num_rows // self.rows_per_shard)

    def _shard(self, number: int) -> Path:
        return self.folder / f"features-{number:05}-of-{self._num_shards:05}.tfrecord"

    @property
    def missing(self) -> list[int]:
        """Numbers of the shards that are still to be computed."""
        return [i for i, path in enumerate(self.shards) if not path.exists()]

    def _rows_of(self, shard: int) -> range:
        return range(self.num_rows)[shard * self.rows_per_shard : (shard + 1) * self.rows_per_shard]

    def fill(self, progress: Tracker = untracked) -> None:
        """Check the shards that are there, and compute those that are missing.

        Args:
            progress: wraps the iteration over so many rows, to draw a bar.

        Raises:
            UserError: a shard is damaged, the disk is full, or features are no finite numbers in the store's
                number format.
        """
        missing = self.missing
        self._check(sorted(set(range(len(self.shards))) - set(missing)))
        if not missing:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clear_abandoned()
        rows = np.concatenate([self._rows_of(shard) for shard in missing])
        self._check_space(len(rows))
        with written_beside(self.folder / "store.json") as temporary:
            temporary.write_text(json.dumps(self._description, indent=2))
        records = iter(progress(self._records(rows), len(rows)))
        for shard in missing:
            self._write(self.shards[shard], list(itertools.islice(records, len(self._rows_of(shard)))))
        next(records, None)  # so that the bar ends

    def _clear_abandoned(self) -> None:
        """Remove what killed processes were writing: of this machine at once, of others after a while."""
        clear_temporaries(self.folder)
        for temporary in self.folder.glob(".*.part.tfrecord"):
            if time.time() - temporary.stat().st_mtime > ABANDONED_SECONDS:
                temporary.unlink(missing_ok=True)

    def _records(self, rows: np.ndarray) -> Iterator[bytes]:
        """Compute the features of some records, each as bytes."""
        chosen = self._manifest.iloc[rows]
        for batch in feature_batches(chosen, self._read, self._layer, self.dtype):
            yield from (features.tobytes() for features in batch)

    def _write(self, path: Path, records: Sequence[bytes]) -> None:
        """Write a shard that is whole or not there."""
        try:
            with written_beside(path) as temporary, tf.io.TFRecordWriter(os.fspath(temporary)) as writer:
                for record in records:
                    writer.write(record)
                writer.close()  # here, where an error is seen before the file gets its name
        except (OSError, tf.errors.OpError) as error:
            raise UserError(
                f"{path} cannot be written: {getattr(error, 'message', error)}. What is whole stays, "
                "and is not computed again."
            ) from None

    def _check_space(self, num_rows: int) -> None:
        needed = num_rows * (HEADER_BYTES + self.row_bytes + CHECKSUM_BYTES)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise UserError(
                f"The features of {num_rows} examples need {needed / 1e9:.3f} GB, and {self.folder} has "
                f"{free / 1e9:.3f} GB left. Make room, or choose another disk."
            )

    def _check(self, shards: Sequence[int]) -> None:
        """Read shards once, in parallel, and compare all checksums; TensorFlow does a gigabyte a second."""

        def damage(shard: int) -> str | None:
            data = tf.data.TFRecordDataset(os.fspath(self.shards[shard]))
            lengths = data.map(tf.strings.length).batch(self.rows_per_shard + 1)
            try:
                found = np.concatenate([*lengths.as_numpy_iterator(), []])
            except tf.errors.OpError as error:
                return str(error.message).split("}} ")[-1].split(" [Op")[0]
            wanted = [self.row_bytes] * len(self._rows_of(shard))
            return None if found.tolist() == wanted else f"{len(found)} records instead of {len(wanted)}"

        for shard, found in zip(shards, threads().map(damage, shards), strict=True):
            if found:
                raise UserError(
                    f"{self.shards[shard]} is damaged ({found}). Delete it, and it is computed again."
                )

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Read the features of some rows, by their index, as (rows, *signal_shape) float32."""
        places = self._places[places_of(rows, self._index)]
        features = np.empty((len(rows), *self.signal_shape), np.float32)
        workers = min(len(rows), os.cpu_count() or 1)

        def read(chosen: np.ndarray):
            shards = places[chosen] // self.rows_per_shard
            for together in np.split(chosen, np.flatnonzero(np.diff(shards)) + 1):
                self._read_shard(places[together], together, features)

        list(threads().map(read, np.array_split(np.argsort(places), workers)))
        return features

    def _read_shard(self, places: np.ndarray, rows: np.ndarray, features: np.ndarray) -> None:
        """Read the records at some places, all in one shard, into these rows of the features."""
        path = self._shard(int(places[0]) // self.rows_per_shard)
        record = np.empty(self.signal_shape, self.dtype)
        with path.open("rb", buffering=0) as file:
            for row, number in zip(rows, (places % self.rows_per_shard).tolist(), strict=True):
                file.seek(number * (HEADER_BYTES + self.row_bytes + CHECKSUM_BYTES) + HEADER_BYTES)
                if file.readinto(record.data) != self.row_bytes:
                    raise UserError(f"{path} ends before record {number}. Delete it, and fill again.")
                features[row] = record


def _code(layer: keras.Layer, read: Reader) -> Iterator[bytes]:
    """Return the code of all that makes numbers."""
    for package in (dsp, frontends, audio):
        yield from package_code(package)
    yield from code_of({type(each) for each in (*all_layers(layer), read)})


def _configuration(layer: keras.Layer) -> Any:
    """Return a layer's configuration without what differs from one object to the next."""

    def plain(value):
        if isinstance(value, dict):
            left_out = ("name", "build_config", "build_input_shape")
            return {key: plain(entry) for key, entry in value.items() if key not in left_out}
        if isinstance(value, (list, tuple)):
            return [plain(entry) for entry in value if not _is_input(entry)]
        return value

    return plain(keras.saving.serialize_keras_object(layer))


def _is_input(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("class_name") == "InputLayer"
