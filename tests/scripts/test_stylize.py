"""`stylize.py`, and the trainings of what it paints with, as a user runs them."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from core.cli import ROOT
from core.network_metadata import Metadata
from models import trained
from models.networks import dcgan, transform_net

random = np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with contents, styles, and networks that were never trained."""
    root = tmp_path_factory.mktemp("pictures")
    for name in ("contents", "styles"):
        (root / name).mkdir()
        for i in range(3):
            noise = Image.fromarray(random.integers(0, 255, (9, 7, 3), np.uint8))
            noise.resize((56, 72), Image.Resampling.BICUBIC).save(root / name / f"{i}.png")
    keras.utils.set_random_seed(0)
    one = transform_net.transformer(width=4, blocks=1)
    trained.save(one, root / "stylizer.keras", Metadata("stylizer", "fast", styles=("1",), geometry=one.geometry))
    two = transform_net.transformer(width=4, blocks=1, styles=2)
    styles = Metadata("stylizer", "fast", styles=("red", "blue"), geometry=two.geometry)
    trained.save(two, root / "two.keras", styles)
    drawing = dcgan.generator((32, 32, 3), latent_dim=6, width=4)
    trained.save(drawing, root / "generator.keras", Metadata("generator"))
    return root


def test_by_optimisation(folder, script, tmp_path, vgg_weights):
    content = folder / "contents" / "0.png"
    done = script(
        "stylize.py", f"content={content}", f"style={folder / 'styles' / '0.png'}", f"weights={vgg_weights}",
        "steps=3", f"output={tmp_path / 'a b, (c).png'}", "preserve_color=true",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "a b, (c).png") as image:
        assert image.size == (56, 72)
        assert image.text["Source"] == "Made by a neural network"
        assert not np.array_equal(np.asarray(image), np.asarray(Image.open(content)))


def test_a_painting_in_any_style_without_vgg(folder, script, tmp_path):
    """By the network that comes with Gesso, where VGG's weights are not at hand; it sees which painting it is."""
    content, painted = folder / "contents" / "0.png", []
    for i in range(2):
        style, output = folder / "styles" / f"{i}.png", tmp_path / f"{i}.png"
        done = script(
            "stylize.py", f"content={content}", f"style={style}", f"output={output}", KERAS_HOME=str(tmp_path)
        )
        assert done.returncode == 0, done.stderr
        assert "network=any_style" in done.stdout + done.stderr
        painted.append(np.asarray(Image.open(output).convert("RGB")).astype(int))
    assert painted[0].shape == (72, 56, 3)
    assert abs(painted[0] - painted[1]).mean() > 2


def test_by_neural_neighbors(folder, script, tmp_path, vgg_weights):
    """A picture at its own size, its colors kept."""
    content, style = (folder / name / "0.png" for name in ("contents", "styles"))
    done = script(
        "stylize.py", f"content={content}", f"style=[{style},{folder / 'styles' / '1.png'}]", "method=nnst",
        f"weights={vgg_weights}", "steps=2", f"output={tmp_path / 'a.png'}", "nnst.self_similarity=true",
        "preserve_color=luminance",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (56, 72) and image.text["Model"] == "nnst"
        assert image.tobytes() != Image.open(content).tobytes()


def test_regions_several_styles_and_tensorboard(folder, script, tmp_path, vgg_weights):
    half = np.zeros((72, 56), np.uint8)
    half[:36] = 255
    for name, mask in (("top", half), ("bottom", 255 - half)):
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    masks = f"[{tmp_path / 'top.png'},{tmp_path / 'bottom.png'}]"
    done = script(
        "stylize.py", f"content={folder / 'contents' / '0.png'}", "steps=2", f"weights={vgg_weights}",
        f"style=[{folder / 'styles' / '0.png'},{folder / 'styles' / '1.png'}]", "style_weights=[2,1]",
        f"gatys.content_masks={masks}", f"gatys.style_masks={masks}", "gatys.optimizer=adam", "gatys.log_every=1",
        "preserve_color=histogram", f"hydra.run.dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "0.png").is_file()
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


def test_a_folder_goes_on_past_what_is_broken(folder, script, tmp_path):
    contents = tmp_path / "in"
    contents.mkdir()
    opaque = Image.open(folder / "contents" / "0.png")
    opaque.save(contents / "a.jpg")
    opaque.save(contents / "a.png")
    opaque.putalpha(Image.fromarray(np.tile(np.arange(56, dtype=np.uint8), (72, 1))))
    opaque.save(contents / "clear.png")
    (contents / "broken.jpg").write_text("no picture")
    (contents / "notes.txt").write_text("not meant")
    done = script("stylize.py", f"content={contents}", f"network={folder}", f"output={tmp_path / 'out'}", "size=40")
    assert done.returncode == 1
    assert "1 of 4 could not be painted" in done.stderr + done.stdout
    assert "broken.jpg is no picture" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.jpg.png", "a.png.png", "clear.png"]
    with Image.open(tmp_path / "out" / "clear.png") as image:
        assert image.size == (31, 40) and image.mode == "RGBA"
        assert len(np.unique(np.asarray(image)[..., 3])) > 20


def test_strength_and_blending(folder, script, tmp_path):
    content = folder / "contents" / "0.png"
    results = []
    for options in (["strength=0"], ["style_weights=[1,1]"]):
        done = script(
            "stylize.py",
            f"content={content}",
            f"network={folder / 'two.keras'}",
            f"output={tmp_path / 'x.png'}",
            *options,
        )
        assert done.returncode == 0, done.stderr
        results.append(np.asarray(Image.open(tmp_path / "x.png")))
    np.testing.assert_array_equal(results[0], np.asarray(Image.open(content)))
    assert not np.array_equal(results[1], results[0])


def test_a_film(folder, script, tmp_path):
    av = pytest.importorskip("av")
    with av.open(tmp_path / "in.mp4", "w") as film:
        stream = film.add_stream("libx264", rate=10, width=48, height=40, pix_fmt="yuv420p")
        for i in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((40, 48, 3), 30 * i, np.uint8))
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    done = script(
        "stylize.py", f"content={tmp_path / 'in.mp4'}", f"network={folder}", f"output={tmp_path / 'out.mp4'}"
    )
    assert done.returncode == 0, done.stderr
    with av.open(tmp_path / "out.mp4") as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 6 and frames[0].shape == (40, 48, 3)
    assert abs(frames[3].astype(int) - 90).mean() > 3  # painted, not copied


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "content= says what"),
        (["content=README.md"], "style= says"),
        (["content=/nowhere", "style={c}"], "no such file"),
        (["content={c}", "style={c}", "output={c}"], "one of the inputs"),
        (["content={c}", "style={c}", "output=x.bmp"], "suffix must be one of .png"),
        (["content={c}", "style={c}", "method=gaty"], "Did you mean gatys"),
        (["content={c}", "style={c}", "preserve_color=hue"], "There are: false, histogram, luminance, none, true"),
        (["content={c}", "style={c}", "strength=-1"], "at least 0"),
        (["content={c}", "method=fast"], "python train.py model=fast_style"),
        (["content={c}", "network=/nowhere"], "no /nowhere"),
        (["content={c}", "network={m}", "method=adain"], "a network for method=fast"),
        (["content={c}", "style={c}", "weights=/nowhere.h5"], "no such file"),
        (["contnt=x"], "Did you mean content"),
        (["content={c}", "model={m}"], "Did you mean network=?"),
        (["content={c}", "network={m}", "method=gatys"], "takes no network="),
        (["content={c}", "network={m}", "strength=2"], "from 0 to 1"),
        (["content={c}", "network={m}", "style_weights=[1,2]"], "1 are needed"),
        (["content={c}", "network={m}", "mask={c}"], "mask= has no effect with network="),
        (["content={c}", "network={g}"], "python generate.py network="),
        (["content={c}", "network={m}", "style={c}"], "this network has learned its own. There are: "),
        (["content={c}", "style={c}", "style_weights=2"], "a list"),
        (["content={c}", "style={c}", "method=nnst", "size=4000"], "up to 1280 px"),
        (["content={c}", "style={c}", "method=nnst", "tile=512"], "paints no tiles"),
        (["content={c}", "style={c}", "method=nnst", "strength=2"], "strength= has no effect with method=nnst"),
        (["content={c}", "style={c}", "method=nnst", "nnst.alpha=2"], "between 0 and 1"),
        (["content=tests", "style={c}", "init={c}"], "starts one picture"),
        (["content={c}", "style={c}", "init={c}", "gatys.init=noise"], "another start: leave out one"),
        (["content={c}", "style={c}", "gatys.content_masks=[{c}]"], "give as many of each"),
        (
            ["content={c}", "style={c}", "gatys.content_masks=[{c}]", "gatys.style_masks=[{s}]", "output={s}"],
            "one of the inputs",
        ),
    ],
)
def test_errors_in_words(folder, script, tmp_path, arguments, words):
    values = {
        "c": folder / "contents" / "0.png",
        "s": folder / "styles" / "0.png",
        "m": folder / "stylizer.keras",
        "g": folder / "generator.keras",
    }
    given = [argument.format(**values) for argument in arguments]
    done = script("stylize.py", *given, f"hydra.run.dir={tmp_path}/run", cwd=ROOT)
    assert done.returncode == 1
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", ["fast_style", "adain"])
def test_trained_killed_and_resumed(model, folder, script, tmp_path, vgg_weights):
    arguments = [
        f"model={model}", f"dataset.root={folder / 'contents'}", f"weights={vgg_weights}", "image_size=32",
        "batch_size=2", "sample_every=2", "checkpoint_every=2", "log_every=1", "model.width=4",
    ]  # fmt: skip
    if model == "adain":
        arguments += [f"dataset.style_root={folder / 'styles'}"]
    else:
        styles = f"[{folder / 'styles' / '0.png'},{folder / 'styles' / '1.png'}]"
        arguments += ["dataset=image_folder", f"model.style={styles}", "model.blocks=1"]
    runs = [tmp_path / "straight", tmp_path / "resumed"]
    assert script("train.py", *arguments, "steps=4", f"hydra.run.dir={runs[0]}").returncode == 0
    shutil.copytree(*runs)
    (runs[1] / "checkpoints" / "step_00000004.npz").unlink()  # as if it had been killed before
    done = script("train.py", f"resume={runs[1]}")
    assert done.returncode == 0 and "steps 2 to 4" in done.stderr, done.stderr
    assert "stylize.py" in done.stdout + done.stderr
    arrays = [np.load(run / "checkpoints" / "step_00000004.npz") for run in runs]
    assert arrays[0].files == arrays[1].files
    for name in arrays[0].files:
        np.testing.assert_array_equal(arrays[0][name], arrays[1][name])
    rows = [[json.loads(row) for row in (run / "metrics.jsonl").read_text().splitlines()] for run in runs]
    losses = [[row["total_loss"] for row in part] for part in rows]
    assert losses[0] == losses[1] and len(losses[0]) == 4
    if model == "adain":
        content, style = folder / "contents" / "2.png", folder / "styles" / "2.png"
        done = script(
            "stylize.py", f"content={content}", f"network={runs[1]}", f"style={style}", f"output={tmp_path}"
        )
        assert done.returncode == 0, done.stderr
