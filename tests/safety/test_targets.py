"""Configurations of strangers that would call what is not to be called."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from core.config import CONF
from core.errors import GessoError
from core.instantiate import KERAS, PACKAGES, _named, build, find

HOSTILE = [
    # by their own names
    "os.system", "builtins.eval", "builtins.exec", "subprocess.run", "shutil.rmtree", "numpy.load",
    "pickle.loads", "hydra.utils.instantiate", "functools.partial", "modelsx.y", "models", "data.", "",
    "core.files.atomic",
    # through what our modules import
    "data.store.np.load", "data.decode.shutil.copyfile", "data.decode.os.remove",
    "data.paintings.subprocess.Popen", "data.cache.shutil.rmtree", "data.store.json.loads",
    "data.image_folder.decode_opened", "data.tasks.image_folder.load",
    "models.gan.keras.config.enable_unsafe_deserialization", "models.trained.importlib.import_module",
    "models.trained.pkgutil.extend_path", "metrics.fid.np.load", "training.loop.build",
    "losses.penalties.tf.py_function",
    # ours, but not to be built
    "data.store.write", "data.cache.cached", "data.picture_writer.write", "data.film_writer.write",
    "data.decode_folder.decode_all", "data.paintings._paint_part", "data.paintings.paint",
    "models.trained.load_network", "models.trained.load", "training.checkpoint.save",
    "training.checkpoint.restore", "stylization.methods.optimization",
    # through classes and what hangs on them
    "models.gan.GAN.__init__.__globals__", "models.gan.GAN.__subclasses__", "models.gan.GAN.load_weights",
    "models.gan.GAN.fit", "models.gan.__loader__.load_module", "models.gan.__builtins__.get",
    "data.store.Store.__init__", "losses.penalties.Penalty.__call__", "losses.__spec__.loader",
    # of Keras
    "keras.config.enable_unsafe_deserialization", "keras.models.load_model", "keras.saving.load_model",
    "keras.saving.deserialize_keras_object", "keras.utils.get_file", "keras.layers.Lambda",
    "keras.layers.TFSMLayer", "keras.layers.TorchModuleWrapper", "keras.callbacks.ModelCheckpoint",
    "keras.Sequential", "keras.optimizers.get", "keras.optimizers.deserialize", "keras.losses.deserialize",
    "keras.src.utils.file_utils.get_file", "keras.optimizers.Adam.from_config", "keras.initializers.get",
    "keras.ops.add", "keras.backend.clear_session", "keras", "keras.optimizers", "kerasx.optimizers.Adam",
]  # fmt: skip


@pytest.mark.parametrize("target", [*HOSTILE, 3, None, ["os.system"], {"a": 1}])
def test_what_is_not_to_be_built_is_refused_wherever_it_stands(target):
    call = {"_target_": target}
    for place in (
        call,
        {"a": call},
        {"a": [1, [call]]},
        {"_target_": "keras.optimizers.Adam", "learning_rate": call},
        {"_target_": "losses.adversarial.hinge_generator_loss", "_partial_": True, "weight": call},
        {"_target_": "models.augmentation.Augmentation", "policy": [call]},
        {**call, "_partial_": True},
    ):
        with pytest.raises(GessoError, match="refused"):
            build(OmegaConf.create(place))


class Evil:
    """Pickled: code that runs when it is read."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def test_the_pickle_of_a_stranger_does_not_run(tmp_path):
    with open(tmp_path / "evil.npy", "wb") as file:
        pickle.dump(Evil(tmp_path / "ran"), file)
    for target in ("data.store.np.load", "numpy.load", "metrics.fid.np.load"):
        call = {"_target_": target, "file": str(tmp_path / "evil.npy"), "allow_pickle": True}
        with pytest.raises(GessoError):
            build(OmegaConf.create({"_target_": "data.image_folder.load", "root": call}))
    assert not (tmp_path / "ran").exists()
    np.load(tmp_path / "evil.npy", allow_pickle=True)
    assert (tmp_path / "ran").exists()  # which it would have


def test_nothing_is_called_before_all_of_it_is_known_to_be_right(tmp_path):
    config = {
        "_target_": "data.paintings.load",
        "image_size": 16,
        "cache_dir": str(tmp_path / "cache"),
        "num_images": 1,
    }
    with pytest.raises(GessoError, match="refused"):
        build(OmegaConf.create({"first": config, "then": {"_target_": "os.system", "command": "true"}}))
    assert not (tmp_path / "cache").exists()
    assert len(build(OmegaConf.create({"first": config}))["first"]) == 1


@pytest.mark.parametrize(
    "keys",
    [
        {"_args_": [[3, 4]]}, {"_recursive_": False}, {"_convert_": "none"}, {"_partial_": "yes"}, {"_partial_": 1},
        {"_partial_": {"_target_": "os.system"}}, {"_args_": [{"_target_": "os.system"}]}, {"_mode_": 1},
    ],
)  # fmt: skip
def test_other_words_of_hydra_are_refused(keys):
    with pytest.raises(GessoError, match=r"refused|true or false"):
        build(OmegaConf.create({"_target_": "keras.optimizers.Adam", **keys}))


def test_a_module_that_no_file_names_is_not_even_imported(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n\ndef load():\n    pass\n")
    import data

    monkeypatch.setattr(data, "__path__", [*data.__path__, str(tmp_path)])
    with pytest.raises(GessoError, match="refused"):
        build(OmegaConf.create({"_target_": "data.planted.load"}))
    assert not (tmp_path / "ran").exists() and "data.planted" not in sys.modules


def test_what_a_file_of_ours_names_but_another_module_defines_is_refused(monkeypatch):
    named = _named((CONF,)) | {"data.mnist.cached", "data.mnist.Image.open", "models.trained.tqdm"}
    monkeypatch.setattr("core.instantiate._named", lambda folders: named)
    for target in ("data.mnist.cached", "models.trained.tqdm"):
        with pytest.raises(GessoError, match="not defined there"):
            find(target)


OURS = sorted(name for name in _named((CONF,)) if PACKAGES.fullmatch(name) or KERAS.fullmatch(name))


def test_others_that_our_own_files_name_are_hydras_to_call():
    assert {name for name in _named((CONF,)) if "." in name} - {*OURS} == {"core.sweeps.SweepFolder"}
    with pytest.raises(GessoError, match="refused"):
        find("core.sweeps.SweepFolder")


@pytest.mark.parametrize("target", OURS)
def test_all_that_our_own_files_name_can_be_built(target):
    assert callable(find(target))


@pytest.mark.parametrize(
    "target",
    [
        "keras.optimizers.RMSprop", "keras.optimizers.schedules.PolynomialDecay", "keras.losses.Huber",
        "keras.initializers.HeNormal",
    ],
)  # fmt: skip
def test_of_keras_what_training_is_made_of(target):
    assert find(target).__name__ == target.rpartition(".")[2]


def test_parts_come_with_their_keys():
    schedule = {"_target_": "keras.optimizers.schedules.PolynomialDecay", "decay_steps": "${steps}"}
    rate = {**schedule, "initial_learning_rate": 1.0}
    config = OmegaConf.create({
        "steps": 7,
        "optimizer": {"_target_": "keras.optimizers.Adam", "learning_rate": rate},
        "loss": {
            "_target_": "losses.adversarial.hinge_discriminator_loss", "_partial_": True, "least_margin": None,
        },
        "plain": [{"a": [1, "x", None]}],
    })  # fmt: skip
    built = build(config)
    assert built["optimizer"]._learning_rate.decay_steps == 7
    assert built["loss"].keywords == {"least_margin": None}
    assert built["plain"] == [{"a": [1, "x", None]}]
    assert build(config.optimizer, learning_rate=0.5).learning_rate == 0.5


def test_a_folder_of_yaml_files_of_ones_own(tmp_path, script):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("_target_: data.decode.shortest\nsize: 3\ncrop: center\n")
    run = f"hydra.run.dir={tmp_path}/run"
    assert "there is no such option" in script("train.py", "dataset=mine", run).stderr
    found = script("train.py", f"--config-dir={tmp_path}", "dataset=mine", run, HYDRA_FULL_ERROR="1")
    assert "nothing that makes a data set" in found.stderr  # it was called, and gave a number, not a data set
