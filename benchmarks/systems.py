"""Images/s of the training step of each system, with and without XLA, and the memory that it takes: for a GPU.

    python benchmarks/systems.py --pictures <folder of class folders> [--weights <VGG16 file>] [--only dcgan,srgan]

Each row of `SYSTEMS` trains as `train.py` would with these overrides, at its own size and batch, on batches that
lie in memory, so that the step alone is timed. A process for each of them is made and compiled while the others
are, and then waits; when all are ready they are timed one after the other, each alone. What cannot be made is said,
and why, and what is not ready in time.
"""

import argparse
import json
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FOLDER = "dataset=image_folder dataset.root={pictures}"
PAIR = "dataset.root={pictures} dataset.style_root={pictures}"
SYSTEMS = {
    "mlp": f"model=mlp {FOLDER} batch_size=64",
    "cgan": f"model=cgan {FOLDER} batch_size=64",
    "dcgan": f"model=dcgan model.width=64 {FOLDER} image_size=64 batch_size=64",
    "dcgan_256": f"model=dcgan model.width=64 {FOLDER} image_size=64 batch_size=256",
    "cgan_wikiart": f"experiment=cgan_wikiart {FOLDER}",
    "sngan": f"experiment=sngan_wikiart {FOLDER}",
    "progressive": f"experiment=progressive_wikiart {FOLDER} model.phase_steps=1 steps=1000000",
    "fastgan": f"experiment=fastgan_wikiart {FOLDER} dataset.limit=null image_size=256",
    "projected": f"experiment=projected_wikiart {FOLDER}",
    "stylegan2_64": f"experiment=stylegan2_64 {FOLDER}",
    "stylegan2_256": f"experiment=stylegan2_256 {FOLDER}",
    "r3gan_64": f"experiment=r3gan_64 {FOLDER}",
    "pix2pix": "model=pix2pix dataset=edges dataset.root={pictures} image_size=256 batch_size=8",
    "cyclegan": "model=cyclegan dataset.a={pictures} dataset.b={pictures} image_size=256 batch_size=4",
    "srgan": "model=srgan dataset=super_resolution dataset.root={pictures} dataset.crop=center image_size=64 "
    "batch_size=16 model.pretrain_steps=0",
    "fast_style": f"model=fast_style model.style={{picture}} {FOLDER} image_size=256 batch_size=4",
    "adain": f"model=adain {PAIR} image_size=256 batch_size=8",
    "any_style": f"model=any_style {PAIR} image_size=256 batch_size=8",
    "content_style_gan": f"model=content_style_gan {PAIR} image_size=64 batch_size=16",
    "text_encoder": "model=text_encoder dataset=paintings dataset.num_images=512 image_size=64 batch_size=64",
}


def worker(overrides: list[str], seconds: float) -> None:
    """Makes and compiles a system, says so, waits for a line, and prints its speed as JSON."""
    import hydra

    from core import hardware
    from core.config import CONF, compose
    from core.instantiate import build
    from training import words

    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides)
    dataset = build(config.dataset, **words.asked_of_data(config))
    hardware.prefer_onednn()
    hardware.set_up(config)
    import tensorflow as tf

    from training import loop

    model = loop.make(config, dataset, config.seed)
    batch = config.batch_size * model.batches_per_step
    stream = dataset.stream(batch, config.seed)
    stream = stream if model.prepare is None else stream.map(model.prepare)
    batches = iter(stream.take(4).cache().repeat().prefetch(4))
    model.make_train_function()

    def run(until) -> int:
        steps = 0
        while not until(steps):
            model.train_function(batches)
            steps += model.steps_per_execution
            if steps % 20 == 0:
                [float(value) for value in model.logs.values()]
        [float(value) for value in model.logs.values()]
        return steps

    began = time.perf_counter()
    run(lambda steps: steps >= 40)
    print(json.dumps({"ready": time.perf_counter() - began}), flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    steps = run(lambda steps: time.perf_counter() - began > seconds)
    rate = steps * batch / (time.perf_counter() - began)
    gpu = tf.config.list_logical_devices("GPU")
    memory = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20 if gpu else None
    print(json.dumps({"batch": batch, "images_per_second": rate, "mib": memory}), flush=True)


class Job:
    """A process that gets one system ready."""

    def __init__(self, name: str, xla: bool, options: argparse.Namespace):
        self.name, self.xla, self.said = name, xla, {}
        picture = min(path for path in Path(options.pictures).rglob("*") if path.suffix in (".jpg", ".png"))
        line = SYSTEMS[name].format(pictures=options.pictures, picture=picture).split()
        line += [f"trainer.jit_compile={str(xla).lower()}", f"trainer.steps_per_execution={options.steps}"]
        line += [f"weights={options.weights}"] if options.weights else []
        self.log = Path(options.logs, f"{name}_{'xla' if xla else 'plain'}.log")
        command = [sys.executable, __file__, "--worker", "--seconds", str(options.seconds)]
        with self.log.open("w") as log:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            self.process = subprocess.Popen([*command, *line, *options.overrides], cwd=ROOT, text=True, **pipes)
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def hear(self, patience: float | None = None) -> bool:
        """Waits for what the process says next; false where it ends instead, or takes more seconds than that."""
        try:
            line = self.lines.get(timeout=patience)
        except queue.Empty:
            self.process.kill()
            self.said["error"] = "not ready in time"
            return False
        if line:
            self.said |= json.loads(line)
            return True
        lines = [line.strip() for line in self.log.read_text().splitlines() if line.strip()]
        self.said["error"] = lines[-1] if lines else f"ended with {self.process.wait()}"
        return False

    def _listen(self) -> None:
        for line in self.process.stdout:
            if line.startswith("{"):
                self.lines.put(line)
        self.lines.put("")

    def time(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.hear()
        self.process.wait()

    def row(self) -> str:
        name = f"{self.name:20} {'XLA' if self.xla else '':4}"
        if "images_per_second" not in self.said:
            return f"{name} {self.said.get('error', '')[:200]}"
        said, rate = self.said, self.said["images_per_second"]
        memory = f"{said['mib']:8.0f} MiB" if said["mib"] else ""
        first = f"first {said['ready']:4.0f} s"
        return f"{name} batch {said['batch']:3} {rate:9.1f} images/s {1000 / rate:8.3f} s/kimg {memory}  {first}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", help="a folder of class folders of pictures; for any other data, too")
    parser.add_argument("--weights", help="file of VGG16's weights")
    parser.add_argument(
        "--only", default=",".join(SYSTEMS), help="names, with commas between: " + ", ".join(SYSTEMS)
    )
    parser.add_argument("--xla", choices=("both", "true", "false"), default="both")
    parser.add_argument("--seconds", type=float, default=3, help="of measuring each")
    parser.add_argument(
        "--patience", type=float, default=600, help="seconds for the first steps of those made at once"
    )
    parser.add_argument("--steps", type=int, default=10, help="trainer.steps_per_execution")
    parser.add_argument("--jobs", type=int, default=100, help="made ready at once: they share the memory")
    parser.add_argument("--logs", default="/tmp", help="folder of what each process says")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options, options.overrides = parser.parse_known_args()
    if options.worker:
        return worker(options.overrides, options.seconds)
    if not options.pictures:
        parser.error("--pictures names a folder of class folders of pictures")
    variants = {"both": (False, True), "true": (True,), "false": (False,)}[options.xla]
    asked = [(name, xla) for name in options.only.split(",") for xla in variants]
    for begin in range(0, len(asked), options.jobs):
        jobs = [Job(name, xla, options) for name, xla in asked[begin : begin + options.jobs]]
        late = time.monotonic() + options.patience
        ready = [job for job in jobs if job.hear(max(0.1, late - time.monotonic()))]
        for job in jobs:
            if job in ready:
                job.time()
            print(job.row(), flush=True)


if __name__ == "__main__":
    main()
