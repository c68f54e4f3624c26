"""How much faster several devices train: images/s of the same global batch, each way in processes of its own.

    python benchmarks/scaling.py [--steps 200] [model=dcgan batch_size=32 ...]

    one     one process, two threads
    two     trainer=mirrored, two halves of the CPU with a thread each
    workers trainer=multi_worker, two processes with a thread each, on the loopback address

Prints each one's images/s over the second half of the steps, and its ratio to the first. With GPUs: --gpus, one of
them against all of this machine.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.cli import ROOT
from core.run import Run

CPU = {
    "one": ["trainer.threads=2"],
    "two": ["trainer=mirrored", "trainer.logical_cpus=2", "trainer.threads=1"],
    "workers": ["trainer=multi_worker", "trainer.threads=1"],
}
GPU = {"one": ["trainer=default"], "all": ["trainer=mirrored"]}


def speed(arguments: list[str], steps: int, folder: Path) -> float:
    """Trains in processes of its own; returns images/s over the second half of the steps."""
    command = [
        sys.executable, str(ROOT / "train.py"), *arguments, f"steps={steps}", f"log_every={steps // 2}",
        f"sample_every={steps}", f"checkpoint_every={steps}", f"hydra.run.dir={folder}",
    ]  # fmt: skip
    environments = [{}]
    if "trainer=multi_worker" in arguments:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
        tasks = ({"type": "worker", "index": i} for i in range(2))
        environments = [{"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})} for task in tasks]
    processes = [
        subprocess.Popen(
            command, env=os.environ | more, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for more in environments
    ]
    said = [process.communicate()[1] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit("".join(said))
    rows = [json.loads(line) for line in Run(folder).metrics.read_text().splitlines()]
    return [row["images_per_second"] for row in rows if "images_per_second" in row][1]


def free_ports(number: int) -> list[int]:
    """Finds ports that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200, help="of each way (default: 200)")
    parser.add_argument("--gpus", action="store_true", help="one GPU against all of this machine")
    options, arguments = parser.parse_known_args()
    first = None
    with tempfile.TemporaryDirectory() as folder:
        for name, trainer in (GPU if options.gpus else CPU).items():
            found = speed([*arguments, *trainer], options.steps, Path(folder, name))
            first = first or found
            print(f"{name:8} {found:9.1f} images/s {found / first:6.2f}", flush=True)


if __name__ == "__main__":
    main()
