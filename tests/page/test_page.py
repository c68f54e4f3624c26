"""What is done on the page, without a browser: the same as the scripts do, and nothing that is not listed."""

import http.client
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace as Namespace

import numpy as np
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from PIL import Image

from core.cli import ROOT
from core.errors import GessoError
from core.network_metadata import Metadata
from data import picture
from models.asked import asked
from page import app, commands, compare, files, imagine, jobs, networks, paint
from page.jobs import Job
from page.kept import kept
from page.taste import Taste


def test_what_is_composed_is_what_is_shown(here, tmp_path):
    (tmp_path / "a photo, (1).png").write_bytes((here / "photo.png").read_bytes())
    options = {
        "content": tmp_path / "a photo, (1).png", "network": "outputs/two", "style": ["red", "blue"], "size": 64,
        "strength": 0.5,
    }  # fmt: skip
    typed = shlex.split(commands.shown("stylize", options))
    assert typed == [
        "python", "stylize.py", "content=a photo, (1).png", "network=outputs/two", 'style=["red","blue"]',
        "size=64", "strength=0.5",
    ]  # fmt: skip
    with commands.composed("stylize", options) as config:
        assert config.content == str(options["content"]) and list(config.style) == ["red", "blue"]
        assert HydraConfig.get().overrides.task
    assert HydraConfig.instance().cfg is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strength": -1.0}, "strength"),
        ({"size": "large"}, "size=large"),
        ({"mask": Path("none.png")}, "no such file"),
    ],
)
def test_what_a_script_would_refuse_is_refused(here, options, words):
    with (
        pytest.raises(GessoError, match=words),
        commands.composed("stylize", {"content": here / "photo.png", **options}),
    ):
        pass


def test_only_what_is_listed_can_be_named(here, tmp_path):
    known = networks.networks()
    assert {"outputs/two", "outputs/enlarge", "outputs/fill", "outputs/run1", "outputs/run2"} <= set(known)
    assert set(networks.networks(("generator",))) >= {"outputs/run1"} and "outputs/two" in dict(
        (name, words) for words, name in networks.choices(known)
    )
    (tmp_path / "g.keras").write_bytes((here / "outputs" / "run1" / "generator.keras").read_bytes())
    for name in (str(tmp_path / "g.keras"), "outputs/../outputs/run1", str(here / "outputs" / "run1"), "", None):
        with pytest.raises(GessoError, match="network"):
            networks.find(name)
    with pytest.raises(GessoError, match="no run"):
        networks.find_runs(["outputs/run1", "."])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_named_pipes_among_networks_and_runs_are_not_waited_for(here):
    folder = here / "outputs" / "piped"
    shutil.copytree(here / "outputs" / "run1", folder)
    names = ("x.keras", "result.json", "evaluation.json", "evaluate.log", "samples/step_00000009.png")
    for name in names:
        os.mkfifo(folder / name)

    def listed() -> tuple:
        run = networks.runs()["outputs/piped"]
        return set(networks.networks()), compare.numbers([run]), compare.steps([run])

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(listed)
        try:
            known, table, steps = asked.result(20)
        finally:
            while not asked.done():  # lets go of who waits
                for name in names:
                    os.close(os.open(folder / name, os.O_RDWR))
                time.sleep(0.01)
            shutil.rmtree(folder)
    assert "outputs/piped/generator.keras" in known and "outputs/piped/x.keras" not in known
    assert table == {"outputs/piped": {"step": 4, "loss": 0.25}} and steps == [2, 4]


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n"


def test_gradio_decodes_nothing_that_is_named(monkeypatch, tmp_path):
    """Not a component that an update made anew for a visitor either."""
    gradio = pytest.importorskip("gradio")
    from gradio.data_classes import FileData, ImageData

    from page import widgets

    (tmp_path / "x.png").write_bytes(POSTSCRIPT)
    named = FileData(path=str(tmp_path / "x.png"), orig_name="x.png")
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a file was looked into"))
    with gradio.Blocks():
        photo, brush = widgets.photo("Photo", "a"), widgets.brush("b")
    drawing = {"background": named, "layers": [named] * 60, "composite": named}
    for made, payload, handed in (
        (photo, ImageData(path=named.path), named.path),
        (brush, brush.data_model(**drawing), [named.path] * 60),
        (brush, brush.data_model(id="sent before"), []),
    ):
        anew = type(made)(**{**made.constructor_args, "visible": False, "render": False})
        for part in (made, anew):
            assert part.preprocess(payload) == handed and not part.server_fns
    assert photo.preprocess(None) is None and brush.preprocess(None) == []


def test_what_is_drawn_is_one_layer_no_larger_than_the_canvas(monkeypatch, tmp_path):
    gradio = pytest.importorskip("gradio")
    from page import widgets

    monkeypatch.setattr(files, "_root", tmp_path)
    stroke = np.zeros((widgets.CANVAS, 40, 4), np.uint8)
    Image.fromarray(stroke).save(tmp_path / "nothing.png")
    stroke[5:9, :, 3] = 255
    Image.fromarray(stroke).save(tmp_path / "stroke.png")
    Image.new("L", (40, 30)).save(tmp_path / "opaque.png")
    Image.new("L", (9000, 9000)).save(tmp_path / "vast.png")
    (tmp_path / "x.png").write_bytes(POSTSCRIPT)
    np.testing.assert_array_equal(widgets.drawn([str(tmp_path / "stroke.png")]), stroke[..., 3])
    assert widgets.drawn([str(tmp_path / "opaque.png")]).min() == 255
    assert widgets.drawn([str(tmp_path / "nothing.png")]) is None and widgets.drawn([]) is None
    with pytest.raises(gradio.Error, match=r"^'x\.png is no picture"), widgets.in_words():
        widgets.drawn([str(tmp_path / "x.png")])
    monkeypatch.setattr(picture, "read", lambda _: pytest.fail("it was decoded"))
    for layers in (["vast.png"], ["stroke.png"] * 60):
        with pytest.raises(gradio.Error, match="one layer, of at most 768"):
            widgets.drawn([str(tmp_path / name) for name in layers])


def test_painted_as_by_the_script(here, tmp_path):
    options = {
        "content": here / "photo.png",
        "network": "outputs/two",
        "style": "blue",
        "output": tmp_path / "a.png",
    }
    job = Job(lambda job: paint.paint(options, job))
    job.run()
    assert job.error is None and job.result == tmp_path / "a.png"
    with Image.open(job.result) as image:
        assert image.text["Source"] == "Made by a neural network"
        painted = np.asarray(image)
    mask = np.zeros((48, 64), np.uint8)
    mask[:, 32:] = 255
    again = {**options, "output": tmp_path / "b.png", "region": files.write_mask(tmp_path / "mask.png", mask)}
    part = np.asarray(Image.open(paint.paint({**again, "trainer.threads": 3}, Job(print))))  # as conf/local may say
    photo = np.asarray(Image.open(here / "photo.png"))
    np.testing.assert_array_equal(part[:, :60], photo[:, :60])
    np.testing.assert_array_equal(part[:, 68:], painted[:, 68:])


def test_optimisation_is_seen_as_it_forms_and_keeps_what_is_there(here, tmp_path, vgg_weights):
    options = {
        "content": here / "photo.png", "style": here / "painting.png", "method": "gatys", "weights": vgg_weights,
        "steps": 50, "size": 64, "output": tmp_path / "a.png",
    }  # fmt: skip
    job = Job(lambda job: paint.paint(options, job))
    tick = job.tick

    def stop_at_three(*given):
        tick(*given)
        if job.done == 3:
            job.stopped.set()

    job.tick = stop_at_three
    job.run()
    assert job.error is None and job.done == 3 and job.total == 50
    assert job.picture().shape == (48, 64, 3) and job.result.name == "a.partial.png"
    assert Image.open(job.result).size == (64, 48)


def test_without_weights_it_is_said_what_to_do(here, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    options = {"content": here / "photo.png", "style": here / "painting.png", "method": "gatys"}
    with pytest.raises(GessoError, match="Networks paint without"):
        paint.paint({**options, "output": tmp_path / "a.png"}, Job(print))


def test_one_job_at_a_time_and_who_leaves_makes_room(idle):
    order, go = [], threading.Event()

    def long(job: Job) -> str:
        while not go.is_set():
            job.tick()
            time.sleep(0.01)
        return "done"

    first = jobs.watch("a", long)
    assert next(first).result is None
    second = jobs.watch("b", lambda job: order.append("b"))
    assert next(second).done == 0 and order == []
    jobs.stop("a")
    assert [job.result for job in first][-1] is None
    assert list(second)[-1].error is None and order == ["b"]
    third = jobs.watch("a", long)
    next(third)
    third.close()
    assert idle(1)
    with pytest.raises(ZeroDivisionError):
        list(jobs.watch("a", lambda job: 1 / 0))
    assert idle(0.1) and not jobs._running


def test_what_is_stopped_while_it_waits_did_not_succeed(monkeypatch):
    """Nor has what came of it: nothing, which is not what the work returns."""
    gradio = pytest.importorskip("gradio")
    from page import widgets

    monkeypatch.setattr(jobs, "POLL", 0.01)
    visitor = Namespace(session_hash="a")
    threading.Timer(0.1, jobs.stop, ["a"]).start()
    with jobs._turn, pytest.raises(gradio.Error, match="Stopped"):
        widgets.done(visitor, lambda: "made")
    assert widgets.done(visitor, lambda: "made") == "made" and widgets.done(visitor, lambda: None) is None


def test_what_is_stopped_as_its_turn_comes_is_not_done(monkeypatch):
    monkeypatch.setattr(jobs, "POLL", 0.01)
    done = []
    jobs._turn.acquire()
    waiting = jobs.watch("a", lambda job: done.append(1))
    job = next(waiting)
    jobs.stop("a")
    jobs._turn.release()
    assert list(waiting) == [] and not done and not job.finished and not jobs._turn.locked()


def test_what_is_stopped_before_it_begins_is_withdrawn():
    jobs.stop("a")  # at rest, and on leaving
    assert jobs.withdrawn("a") and not jobs.withdrawn("b")
    jobs.ask("a")
    assert not jobs.withdrawn("a")
    for number in range(jobs.REMEMBERED + 1):
        jobs.stop(f"visitor {number}")
    assert len(jobs._withdrawn) == jobs.REMEMBERED and not jobs.withdrawn("visitor 0")


def test_messages_say_no_paths():
    file = files.folder() / "gradio" / "ab12" / "my photo.jpg"
    assert files.in_words(GessoError(f"{file} is no picture.")) == "my photo.jpg is no picture."


def test_imagined_and_liked(here, tmp_path):
    studio = imagine.studio(networks.find("outputs/run1"))
    assert imagine.studio(networks.find("outputs/run1")) is studio and studio.directions.shape == (4, 6)
    sitting = imagine.begin(networks.find("outputs/run1"), 3, None, None)
    assert sitting.labels.tolist() == [0, 1, 2] * 4 and sitting.pictures.shape == (12, 32, 32, 3)
    with pytest.raises(GessoError, match="Click"):
        imagine.more(sitting, studio, None)
    for number in (2, 5, 2):
        sitting.like(number)
    assert sitting.liked == [5] and len(sitting.kept) == 1
    liked = sitting.latents[5]
    imagine.more(sitting, studio, "greens")
    assert sitting.labels.tolist() == [1] * 12 and len(sitting.taste.rounds) == 1 and sitting.liked == []
    imagine.vary(sitting, studio)
    np.testing.assert_array_equal(sitting.latents[0], liked)
    for left in (2, 1):  # a copy of what was liked before, which stays
        sitting.like(0)
        assert len(sitting.kept) == left
    moved, label, picture = imagine.turned(sitting, studio, (0, 0, 0, 0))
    np.testing.assert_array_equal(moved, liked)
    assert label == 2 and np.abs(picture.astype(int) - sitting.pictures[0]).max() <= 1
    sitting.like(4)
    imagine.mix(sitting, studio)
    np.testing.assert_allclose(sitting.latents[0], liked, rtol=1e-5)
    written = imagine.take_home(sitting, studio, 3, tmp_path)
    assert [file.name for file in written] == ["liked.png", "walk.gif", "taste.json"]
    assert Image.open(written[0]).text["Seed"] == "3" and Image.open(written[1]).n_frames == 24
    assert len(Taste.from_json(written[2].read_bytes(), 6, 3).rounds) == 1
    other = imagine.begin(networks.find("outputs/run1"), 4, None, None, sitting)  # another seed
    assert other.kept == sitting.kept and other.taste is sitting.taste and other.liked == []
    assert not np.array_equal(other.pictures, sitting.pictures)


def test_of_many_classes_the_page_shows_those_that_its_command_makes(monkeypatch):
    names = tuple(f"c{i}" for i in range(40))
    network = Namespace(name="many", metadata=Metadata("generator", classes=names, shares=(0.5, *[0.5 / 39] * 39)))
    of = Namespace(latent_dim=6, truncation=None, asked=None, pictures=lambda *_: None)
    monkeypatch.setattr(imagine, "asked", lambda *_: (names, None))
    monkeypatch.setattr(imagine, "studio", lambda *_: of)
    made, _ = asked(network.metadata, Path("g"), num=12, seed=5)
    assert [names[i] for i in imagine.begin(network, 5, None, None).labels] == made and len(set(made)) > 3


def test_imagined_from_words(here):
    network = networks.find("outputs/words")
    sitting, red = imagine.begin(network, 1, None, None), imagine.begin(network, 1, "Red circle!", 0.5)
    assert sitting.ways == ("a circle", "a red") and sitting.labels.tolist() == [0, 1] * 6
    assert red.ways == ("Red circle!",) and np.abs(red.latents).max() <= 0.5
    studio = imagine.studio(network)
    same = np.broadcast_to(sitting.latents[:1], (2, 4))
    assert (np.diff(studio.pictures(same, np.array([0, 1]), sitting.ways).astype(int), axis=0) != 0).any()
    with pytest.raises(GessoError, match="zebra"):
        imagine.begin(network, 1, "a zebra", None)
    sitting.like(1)
    imagine.more(sitting, studio, "red")
    assert sitting.ways == ("a circle", "a red", "red") and sitting.labels.tolist() == [2] * 12
    sitting.like(0)
    imagine.more(sitting, studio, None)
    assert 0 not in sitting.labels and len(sitting.taste.weights()[0]) == 4  # what was liked
    other = imagine.begin(network, 2, "circle red", None, sitting)  # and what was liked is not forgotten
    assert other.ways == ("a circle", "a red", "red", "circle red") and other.labels.tolist() == [3] * 12
    assert other.kept == sitting.kept and other.kept[0][1] == 1 and other.taste is sitting.taste
    assert imagine.studio(networks.find("words")).directions.shape == (4, 100)  # of the part that paints
    assert imagine.asked(network, network.metadata.sentences[0])[0] == network.metadata.sentences[:1]


def test_those_used_last_are_kept():
    cache, made = {}, []
    for key in "abaacb":
        kept(cache, key, lambda key=key: made.append(key), 2)
    assert made == ["a", "b", "c", "b"] and list(cache) == ["c", "b"]


def test_runs_compared(here):
    broken = here / "outputs" / "broken"  # without its configuration
    shutil.copytree(here / "outputs" / "run1", broken)
    (broken / ".hydra" / "config.yaml").unlink()
    assert sorted(networks.runs()) == ["outputs/run1", "outputs/run2"]
    shutil.rmtree(broken)
    runs = networks.find_runs(["outputs/run1", "outputs/run2"])
    assert compare.steps(runs) == [2, 4]
    assert [words for _, words in compare.samples(runs, 3)] == ["outputs/run1, step 2", "outputs/run2, step 2"]
    assert compare.curves(runs)["loss"][:2] == [("outputs/run1", 1, 1.0), ("outputs/run1", 2, 0.5)]
    folder = here / "outputs" / "evaluated" / "now"
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text(json.dumps({"fid": 3.0, "baselines": {"others": {"fid": 1.0}}}))
    (folder / "evaluate.log").write_text("[now][x][INFO] python evaluate.py 'network=\"outputs/run2\"' num=5\n")
    other = here / "outputs" / "evaluated" / "file"
    other.mkdir()
    (other / "evaluation.json").write_text(json.dumps({"fid": 2.0, "baselines": 3}))
    older = here / "outputs" / "evaluated" / "before"
    shutil.copytree(other, older)  # of the same run, whose baselines are of other settings
    (older / "evaluation.json").write_text(json.dumps({"fid": 9.0, "baselines": {"others": {"fid": 7.0}}}))
    (other / "evaluate.log").write_text(
        f"[now][x][INFO] python evaluate.py network={here}/outputs/run1/generator.keras\n"
    )
    table = compare.numbers(runs)
    assert table["outputs/run1"] == {"step": 4, "loss": 0.25}
    assert table["outputs/run1, evaluated"] == {"fid": 2.0} and "outputs/run1, beside it others" not in table
    assert table["outputs/run2, evaluated"] == {"fid": 3.0} and table["outputs/run2, beside it others"] == {
        "fid": 1.0
    }
    assert [words for _, words in compare.same_latents(runs, 1)] == ["outputs/run1", "outputs/run2"]


def test_folders_of_pages_that_were_killed_go_and_those_of_others_stay(monkeypatch, tmp_path):
    """Whether a process lives is told by its lock: it may be on another machine, or in a container."""
    code = "from page import files; print(files.root(), flush=True); input()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    pages = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
        for _ in range(3)
    ]
    killed, lives, ended = (Path(page.stdout.readline().strip()) for page in pages)
    (tmp_path / "gesso-page-new").mkdir()
    pages[0].kill()
    pages[2].communicate("\n")
    assert killed.is_dir() and not ended.exists()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(files, "_root", None)

    def elsewhere(*arguments):
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", elsewhere)
    mine = files.root()
    assert set(tmp_path.iterdir()) == {tmp_path / "gesso-page-new", lives, mine}
    pages[1].communicate("\n")
    pages[0].communicate()


def test_what_is_seldom_measured_has_its_curve_and_the_end_of_it(here):
    """Rows of evaluations between those of losses, of which one in many is drawn."""
    run = networks.find_runs(["outputs/run1"])[0]
    written = []
    for step in range(100, 60_100, 100):
        written.append({"step": step, "loss": 1.0 / step})
        if step % 300 == 0:
            written.append({"step": step, "fid": float(step)})
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in written))
    found = compare.curves([run])
    assert [step for _, step, _ in found["fid"]] == list(range(300, 60_300, 300))
    assert len(found["loss"]) <= compare.POINTS + 1 and found["loss"][-1][1] == 60_000


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "example.org"])
def test_other_machines_need_a_password(host):
    with pytest.raises(GessoError, match="password="):
        app.check(OmegaConf.create({"host": host, "password": None}))


@pytest.mark.parametrize("password", [None, "open sesame"])
def test_without_a_password_the_page_answers_by_its_own_names_alone(free_port, password):
    """Else any site could have its own name lead here, and so read what the page says."""
    gradio = pytest.importorskip("gradio")
    config = {"host": "127.0.0.1", "port": free_port(), "password": password, "browser": False}
    with gradio.Blocks(analytics_enabled=False) as blocks:
        gradio.Markdown("words")
    page = app.launch(blocks, OmegaConf.create(config))
    try:
        found = {}
        for name in ("127.0.0.1:7860", "localhost:9999", "LOCALHOST", "[::1]:80", "evil.example:80", "127.0.0.1.a"):
            asked = http.client.HTTPConnection("127.0.0.1", config["port"], timeout=30)
            asked.request("GET", "/theme.css", headers={"Host": name})
            found[name] = asked.getresponse().status
            asked.close()
    finally:
        page.close()
    assert list(found.values()) == [200] * 4 + [200 if password else 400] * 2


def test_without_gradio_one_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setitem(sys.modules, "safehttpx", None)
    with pytest.raises(GessoError, match=r"pip install .*'\.\[page\]', or make page"):
        app.check(OmegaConf.create({"host": "127.0.0.1", "password": None}))


def test_what_a_visitor_types_is_taken_as_it_stands():
    """Not as Hydra's syntax, which could look into the environment."""
    with commands.composed("generate", {"network": "words", "text": ["${oc.env:HOME}", "[a]", 'b"']}) as config:
        assert list(config.text) == ["${oc.env:HOME}", "[a]", 'b"']
