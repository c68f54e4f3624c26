"""Kills trainings at random moments and compares what they resume to with a straight run: `make soak KILLS=100`.

A straight run of each case is the reference. Then a run of the same command is killed (SIGKILL) a few times, some
of them when a file appears that is being written, begun again by the same command or by `resume=`, and has to end
as the reference did: checkpoints, networks, sample grids, rows and results, but for speeds, and no file besides.

To be frugal, TensorFlow is loaded once, and each life of a run is a fork. Pictures are made up, and VGG's weights
are random. `python tests/soak.py --help` lists what can be chosen.
"""

import argparse
import os
import random
import runpy
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from soak_differences import differences

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # of tests, this folder
TINY = (
    "image_size=32", "batch_size=4", "precision=float32", "steps=12", "log_every=4", "sample_every=3",
    "checkpoint_every=2",
)  # fmt: skip
GAN = (*TINY, "dataset=image_folder", "dataset.root={folder}", "evaluate_every=5", "evaluate_num=16")
VGG = (*TINY, "dataset.root={folder}", "weights={weights}")
WHERE = {  # moments to be killed at: patterns of files that are there then, in the run or in the cache
    "begin": (".hydra/*", "data.json"),
    "checkpoint": ("checkpoints/.*", "*/checkpoints/.*"),
    "checkpoint written": ("checkpoints/step*", "*/checkpoints/step*"),
    "export": (".*.keras", "*/.*.keras"),
    "sample": ("samples/.*", "*/samples/.*"),
    "row": ("metrics.jsonl", "*/metrics.jsonl"),
    "evaluation": ("best/.*", "best/checkpoints/*", "*/best/.*"),
    "restart": ("restarts/.*", "restarts/*/checkpoints/*", "restarts/*/.*"),
    "result": (".result*", "*/.result*"),
    "cache": ("../cache/*",),
}
CASES = {  # command lines of train.py
    "dcgan": (*GAN, "model=dcgan", "model.width=2", "model.condition=concat", "model.augment=[color]",
              "model.augment_target=0.6"),
    "fastgan": (*GAN, "model=fastgan", "model.width=2", "model.noise_injection=true"),
    "progressive": (*GAN, "model=progressive", "model.width=4", "model.phase_steps=1", "precision=mixed_bfloat16"),
    "stylegan2": (*GAN, "model=stylegan2", "model.width=4", "model.latent_dim=8", "loss.penalties.r1.every=3"),
    "r3gan": (*GAN, "model=r3gan", "model.width=4", "model.blocks=1", "model.augment=[ada,cutout]",
              "model.augment_probability=0.5"),
    "projected": (*VGG, "model=projected", "dataset=image_folder", "model.width=2", "model.discriminator_width=2"),
    "resnet": (*GAN, "model=resnet", "model.width=2", "loss=hinge", "model.accumulate=2"),
    "mlp": (*TINY, "model=mlp", "model.width=8", "model.discriminator_width=4", "evaluate_every=5",
            "evaluate_num=16", "dataset.num_images=300"),
    "fast_style": (*VGG, "model=fast_style", "dataset=image_folder", "model.width=4", "model.blocks=1",
                   "model.style={folder}/a/0.png"),
    "adain": (*VGG, "model=adain", "dataset.style_root={folder}/b", "model.width=4"),
    "content_style_gan": (*VGG, "model=content_style_gan", "dataset.style_root={folder}", "model.width=4",
                          "model.receptive_field=16"),
    "pix2pix": (*TINY, "model=pix2pix", "dataset=inpaint", "dataset.root={folder}", "model.width=4",
                "model.receptive_field=16", "model.dropout=0.5", "precision=mixed_float16"),
    "cyclegan": (*TINY, "model=cyclegan", "dataset.a={folder}/a", "dataset.b={folder}/b", "model.width=4",
                 "model.blocks=1", "model.receptive_field=16", "model.pool_size=4"),
    "srgan": (*VGG, "model=srgan", "model.width=4", "model.blocks=1", "model.pretrain_steps=5"),
    "restarts": (*GAN, "model=mlp", "model.width=8", "model.discriminator_width=4", "restarts=2",
                 "restart_steps=5"),
    "sweep": ("-m", *GAN, "model=mlp", "model.width=8", "model.discriminator_width=4", "seed=1,2", "steps=6"),
}  # fmt: skip
LONGEST = 600  # seconds of a life: what takes longer hangs


class Life:
    """A process that runs train.py, forked off this one, the leader of a group of its own."""

    def __init__(self, arguments: list[str], cache: Path, output: Path):
        sys.stdout.flush()
        self.begun = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            _train(arguments, cache, output)
        with suppress(OSError):  # the child does it as well: whoever comes first
            os.setpgid(self.pid, self.pid)
        self.code: int | None = None

    def poll(self) -> int | None:
        """Returns the exit code, minus the signal's number of what was killed; None while it lives."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = None if pid == 0 else os.waitstatus_to_exitcode(status)
            if self.code is None and time.monotonic() - self.begun > LONGEST:
                self.kill()
                raise SystemExit(f"A run of {LONGEST} s: it hangs.")
        return self.code

    def kill(self, job: bool = False) -> None:
        """Kills all of it; with `job`, of a sweep, the job alone, and waits for the sweep's end."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split() if job else []
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        if not children:
            os.killpg(self.pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.code = -signal.SIGKILL if children and code else code


def _train(arguments: list[str], cache: Path, output: Path) -> None:
    """Becomes train.py; does not return."""
    with suppress(OSError):
        os.setpgid(0, 0)
    with open(output, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ["GESSO_CACHE"] = str(cache)
    tempfile.tempdir = os.environ["TMPDIR"] = str(output.parent)  # what TensorFlow generates, and a kill leaves
    sys.argv = [str(ROOT / "train.py"), *arguments]
    code = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Soak:
    """Trials in a folder, by a seed."""

    def __init__(self, folder: Path, seed: int):
        self.folder = folder
        self.random = random.Random(seed)
        self.seconds: dict[str, float] = {}  # of straight runs
        self.kills = 0
        self.where: dict[str, int] = {}

    def arguments(self, case: str, run: Path) -> list[str]:
        """Returns a case's command line, that writes to `run`."""
        names = {"folder": self.folder / "pictures", "weights": self.folder / "vgg16.weights.h5"}
        given = [argument.format(**names) for argument in CASES[case]]
        return [*given, f"hydra.{'sweep' if '-m' in given else 'run'}.dir={run}"]

    def straight(self, case: str) -> Path:
        """Returns the run directory of a run that nobody disturbs; it is made once."""
        run = self.folder / "straight" / case / "run"
        if case not in self.seconds:
            life = Life(self.arguments(case, run), run.parent / "cache", self.folder / "straight.log")
            while life.poll() is None:
                time.sleep(0.05)
            if life.code:
                raise SystemExit(f"{case} fails without being killed: {self.folder / 'straight.log'}")
            self.seconds[case] = time.monotonic() - life.begun
        return run

    def trial(self, case: str, kills: int) -> list[str]:
        """Kills a run so many times and lets it end; returns what is not as in the straight run."""
        straight = self.straight(case)
        trial = Path(tempfile.mkdtemp(prefix=f"{case}-", dir=self.folder))
        run, cache, output = trial / "run", trial / "cache", trial / "output.log"
        if self.random.random() < 0.5:  # else it is built anew, and may be killed there
            shutil.copytree(straight.parent / "cache", cache)
        told = []
        for _ in range(kills):
            life = Life(self._again(case, run), cache, output)
            moment = self._moment(case)
            self._wait(life, moment, run, self.random.uniform(0.3, 0.9) * self.seconds[case])
            if life.poll() is not None:
                told.append("ended before")
                break
            life.kill(job="sweep" in case and self.random.random() < 0.4)
            if life.code == -signal.SIGKILL:
                self.kills += 1
                name = moment if isinstance(moment, str) else "any"
                self.where[name] = self.where.get(name, 0) + 1
                told.append(f"{name} after {time.monotonic() - life.begun:.1f} s")
        life = Life(self._again(case, run), cache, output)
        while life.poll() is None:
            time.sleep(0.05)
        wrong = [f"exit code {life.code}"] if life.code else []
        if "Traceback" in output.read_text(errors="replace"):
            wrong.append("a traceback")
        wrong += differences(straight, run)
        print(f"{case}: {'; '.join(told)}: {'as the straight run' if not wrong else f'{wrong} in {trial}'}")
        if not wrong:
            shutil.rmtree(trial)
        return wrong

    def _again(self, case: str, run: Path) -> list[str]:
        """Returns one of the two ways to go on, where there are two."""
        if (run / ".hydra" / "config.yaml").is_file() and self.random.random() < 0.5:
            return [f"resume={run}"]
        return self.arguments(case, run)

    def _moment(self, case: str) -> str | float:
        """Chooses when to kill: one of `WHERE`, or so many seconds from the beginning."""
        if self.random.random() < 0.4:
            return self.random.uniform(0, self.seconds[case])
        generator = any(argument.startswith("evaluate_every") for argument in CASES[case])
        names = [n for n in WHERE if n not in ("evaluation", "restart") or (generator and n == "evaluation")]
        return self.random.choice(["restart"] * 4 + names if case == "restarts" else names)

    def _wait(self, life: Life, moment: str | float, run: Path, longest: float) -> None:
        """Waits for the moment to kill at, so many seconds if it does not come, or the end."""
        if not isinstance(moment, str):
            while life.poll() is None and time.monotonic() - life.begun < moment:
                time.sleep(0.005)
            return
        nth, seen, before = self.random.choice((1, 1, 2, 3)), 0, _there(run, moment)
        while life.poll() is None and time.monotonic() - life.begun < longest:
            now = _there(run, moment)
            seen += bool(now - before)
            before = now
            if seen >= nth:
                time.sleep(self.random.choice((0, 0, 0.002, 0.01)))
                return
            time.sleep(0.002)


def _there(run: Path, moment: str) -> set[tuple[str, int]]:
    """Lists the files that tell of a moment; of rows, how many bytes there are as well."""
    found = set()
    for pattern in WHERE[moment]:
        for path in run.parent.glob(pattern[3:]) if pattern.startswith("../") else run.glob(pattern):
            try:
                found.add((str(path), path.stat().st_size if moment == "row" else 0))
            except OSError:  # it has gone
                continue
    return found


def _make_inputs(folder: Path, weights: bool) -> None:
    """Makes up pictures in two classes, and weights of VGG16, where they are needed."""
    from PIL import Image

    noise = np.random.default_rng(0)
    for i in range(24):
        path = folder / "pictures" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (44, 40, 3), dtype=np.uint8)).save(path)
    if not weights:
        return
    pid = os.fork()  # this process is to compute nothing: its threads would not be in the forks
    if pid == 0:
        import keras

        keras.utils.set_random_seed(0)
        keras.applications.VGG16(include_top=False, weights=None).save_weights(folder / "vgg16.weights.h5")
        os._exit(0)
    os.waitpid(pid, 0)


def main() -> None:
    """Soaks; exit code 1 if anything fell over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="how many (100)")
    parser.add_argument("--cases", default=",".join(CASES), help="some of: %(default)s")
    parser.add_argument("--each", type=int, default=4, help="at most so many of one run (4)")
    parser.add_argument("--seed", type=int, default=0, help="of moments (0)")
    parser.add_argument("--minutes", type=float, default=1e9, help="no more runs are begun after these")
    given = parser.parse_args()
    begun, cases, fell = time.monotonic(), given.cases.split(","), []
    folder = Path(tempfile.mkdtemp(prefix="gesso-soak-"))
    from core import hardware

    hardware.prefer_onednn()
    hardware.load_tensorflow()
    import training.finish
    import training.restarts  # noqa: F401

    _make_inputs(folder, weights=any("weights={weights}" in CASES[case] for case in cases))
    soak, number = Soak(folder, given.seed), 0
    os.chdir(folder)
    while soak.kills < given.kills and (time.monotonic() - begun) / 60 < given.minutes:
        case, number = cases[number % len(cases)], number + 1
        wrong = soak.trial(case, min(soak.random.randint(1, given.each), given.kills - soak.kills))
        fell += [case] if wrong else []
    minutes = (time.monotonic() - begun) / 60
    where = ", ".join(f"{n} {name}" for name, n in sorted(soak.where.items()))
    print(
        f"{soak.kills} kills ({where}) in {number} runs of {len(soak.seconds)} kinds, {minutes:.1f} minutes: "
        f"{f'{len(fell)} fell over: {fell}, {folder}' if fell else 'all ended as straight runs.'}"
    )
    if not fell:
        shutil.rmtree(folder)
    sys.exit(bool(fell))


if __name__ == "__main__":
    main()
