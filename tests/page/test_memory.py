"""Many jobs in a row take no more memory than the first ones: minutes, with `make test-page`."""

import os
import shutil
from pathlib import Path

import pytest

from page import files, imagine, jobs, networks, paint

JOBS, WARM = int(os.environ.get("GESSO_PAGE_JOBS", 0)), 40


@pytest.mark.slow
@pytest.mark.skipif(JOBS <= WARM, reason="GESSO_PAGE_JOBS says how many jobs; make test-page gives it")
def test_memory_is_flat_over_many_jobs(here):
    def resident() -> float:
        """Megabytes."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def work(number: int):
        """A picture of one of five sizes, of one of four blends; every fourth job imagines."""
        if number % 4 == 3:
            network = networks.find(f"outputs/run{number // 4 % 2 + 1}")
            return lambda job: imagine.begin(network, number, None, None)
        folder = files.folder()
        options = {
            "content": here / "photo.png", "network": "outputs/two", "style": ["red", "blue"][number % 2],
            "size": 64 + 16 * (number % 5), "strength": [0.5, 1.0][number // 2 % 2], "output": folder / "a.png",
        }  # fmt: skip

        def painted(job: jobs.Job) -> None:
            paint.paint(options, job)
            shutil.rmtree(folder)

        return painted

    sizes = []
    for number in range(JOBS):
        list(jobs.watch("visitor", work(number)))
        sizes.append(resident())
    print(f"{sizes[0]:.0f} MB after 1 job, {sizes[WARM]:.0f} after {WARM}, {sizes[-1]:.0f} after {JOBS}")
    assert sizes[-1] - sizes[WARM] < 60
