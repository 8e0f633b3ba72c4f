"""Damaged and foreign .keras files: one line each, before anything large is made."""

import json
import zipfile

import keras
import numpy as np
import pytest

from tfspec.base.errors import UserError
from tfspec.frontends import MFCC
from tfspec.inference.loading import load_keras, load_model
from tfspec.models import Classifier, conv2d, ensemble
from tfspec.models.keras_file import CONFIG, WEIGHTS
from tfspec.training.losses import SmoothedCrossEntropy


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    backbone = conv2d((None, 20, 1), 2)
    Classifier(MFCC(20, 8000, num_mel_bins=32), backbone, ["no", "yes"], (8000,), 8000).save(path)
    return path


def _changed(saved, path, members):
    """Write the zip again with other members; None leaves one out."""
    with zipfile.ZipFile(saved) as archive:
        members = {**{name: archive.read(name) for name in archive.namelist()}, **members}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)
    return path


def _with_config(saved, path, change):
    with zipfile.ZipFile(saved) as archive:
        config = json.loads(archive.read(CONFIG))
    change(config)
    return _changed(saved, path, {CONFIG: json.dumps(config)})


def _refused(path, said=""):
    with pytest.raises(UserError, match=said) as caught:
        load_keras(path)
    message = str(caught.value)
    assert message.startswith(f"{path} cannot be loaded as a Keras model: ")
    assert "\n" not in message
    assert len(message) < 400 + len(str(path))


def test_a_whole_file_is_loaded(saved):
    assert load_model(saved).class_names == ("no", "yes")


def test_how_it_was_trained_is_not_asked(tmp_path, monkeypatch):
    """Neither a loss that is not imported where the model is used nor a long schedule makes weights."""
    backbone = conv2d((None, 20, 1), 2)
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, decay_steps=5_000_000)
    backbone.compile(keras.optimizers.Adam(schedule), SmoothedCrossEntropy(0.05))
    both = ensemble([backbone, keras.models.clone_model(backbone)])  # of which one has been trained
    classifier = Classifier(MFCC(20, 8000, num_mel_bins=32), both, ["no", "yes"], (8000,), 8000)
    classifier.save(tmp_path / "model.keras")
    known = keras.saving.get_custom_objects()
    monkeypatch.delitem(known, "tfspec>SmoothedCrossEntropy")
    assert load_model(tmp_path / "model.keras").class_names == ("no", "yes")


@pytest.mark.parametrize(
    "content", [b"", b"text", b"PK\x03\x04", bytes(1000), b"\x89HDF\r\n\x1a\n" + bytes(99)]
)
def test_what_is_no_zip(tmp_path, content):
    (tmp_path / "x.keras").write_bytes(content)
    _refused(tmp_path / "x.keras")


def test_what_is_no_file(tmp_path):
    (tmp_path / "x.keras").mkdir()
    _refused(tmp_path / "x.keras", "a folder, not a file")
    with pytest.raises(UserError, match="No model at"):
        load_model(tmp_path / "x.keras")


@pytest.mark.parametrize(
    "members",
    [
        {CONFIG: None},
        {WEIGHTS: None},
        {CONFIG: None, WEIGHTS: None, "metadata.json": None, "readme.txt": "hello"},
        {CONFIG: ""},
        {CONFIG: "[]"},
        {CONFIG: "3"},
        {CONFIG: "{}"},
        {CONFIG: "[" * 100_000},
        {CONFIG: b"\xff\xfe"},
        {CONFIG: '{"class_name": 1, "config": 2, "registered_name": "tfspec>Classifier"}'},
        {WEIGHTS: b""},
        {WEIGHTS: b"text"},
        {"metadata.json": "[]"},
        {"metadata.json": '{"keras_version": null}'},
    ],
)
def test_zips_with_other_content(saved, tmp_path, members):
    try:
        load_keras(_changed(saved, tmp_path / "x.keras", members))
    except UserError:
        _refused(tmp_path / "x.keras")
    else:
        assert set(members) == {"metadata.json"}  # which Keras does not need


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("class_names", "no"),
        ("class_names", []),
        ("class_names", ["no", "no"]),
        ("class_names", [1, 2]),
        ("class_names", ["a", "b", "c"]),
        ("class_names", None),
        ("signal_shape", 8000),
        ("signal_shape", [0]),
        ("signal_shape", [-1]),
        ("signal_shape", ["8000"]),
        ("signal_shape", [8000.5]),
        ("signal_shape", []),
        ("sample_rate", 0),
        ("sample_rate", "8000"),
        ("sample_rate", [1]),
        ("front_end", None),
        ("front_end", {"class_name": "MFCC"}),
        ("backbone", 3),
        ("backbone", []),
    ],
)
def test_wrong_values_in_the_config(saved, tmp_path, name, value):
    _refused(_with_config(saved, tmp_path / "x.keras", lambda config: config["config"].update({name: value})))


def test_another_kind_of_model(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save(tmp_path / "x.keras")
    _refused(tmp_path / "x.keras", "it holds a Sequential, and not a tfspec Classifier")


@pytest.mark.parametrize("units", [10**9, 30_000])
def test_a_config_that_asks_for_more_weights_than_there_are(saved, tmp_path, monkeypatch, units):
    def enlarge(config):
        for layer in config["config"]["backbone"]["config"]["layers"]:
            layer.pop("build_config", None)
            for name in {"units", "filters"} & set(layer["config"]):
                layer["config"][name] = units

    monkeypatch.setattr(keras.saving, "load_model", None)  # it is not reached
    _refused(
        _with_config(saved, tmp_path / "x.keras", enlarge), "its config asks for .* weights, and it holds"
    )


@pytest.mark.parametrize("name", ["frame_length", "num_mel_bins", "fft_length", "pad"])
def test_a_front_end_that_asks_for_gigabytes(saved, tmp_path, name):
    def enlarge(config):
        config["config"]["front_end"]["config"][name] = 10**10

    _refused(_with_config(saved, tmp_path / "x.keras", enlarge), "its front end asks for 10,000,000,000")


def test_members_that_unpack_to_far_more_than_they_are(saved, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (CONFIG, WEIGHTS):
            archive.writestr(name, bytes(2**24))
    _refused(tmp_path / "x.keras", "it claims to hold 33,554,432 bytes")


def test_weights_that_claim_more_than_they_are(saved, tmp_path):
    import h5py

    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.create_dataset("w", (10**10,), np.float32, chunks=(1024,))
    weights = (tmp_path / "weights.h5").read_bytes()
    _refused(
        _changed(saved, tmp_path / "x.keras", {WEIGHTS: weights}), "its weights claim 40,000,000,000 bytes"
    )
