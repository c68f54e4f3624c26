"""What two run directories differ in, but for times and speeds."""

import json
import re
import zipfile
from functools import partial
from pathlib import Path

import numpy as np


def differences(straight: Path, other: Path) -> list[str]:
    """Lists what of a run directory, or a sweep's, is not as in another one."""
    found = []
    ours, theirs = ({str(p.relative_to(f)): p for p in _files(f)} for f in (straight, other))
    found += [f"no {name}" for name in ours if name not in theirs]
    found += [f"{name} besides" for name in theirs if name not in ours]
    for name in sorted(ours.keys() & theirs.keys()):
        try:
            one, two = content(ours[name]), content(theirs[name])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            found.append(f"{name}: {error}")
            continue
        keys = one.keys() | two.keys()
        wrong = sorted(key for key in keys if one.get(key) != two.get(key))
        if wrong:
            found.append(f"{name}: {', '.join(wrong[:5])} ({len(wrong)} of {len(keys)})")
    return found


def _files(folder: Path) -> list[Path]:
    beside = {"tensorboard", "hydra.yaml", "train.log", "multirun.yaml"}  # times, and the folder's own name
    return [p for p in folder.rglob("*") if p.is_file() and not beside & set(p.relative_to(folder).parts)]


def content(path: Path) -> dict[str, object]:
    """Reads what has to be the same of a file, by parts."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return {name: (file[name].dtype.str, file[name].shape, file[name].tobytes()) for name in file.files}
    if path.suffix == ".keras":
        return _network(path)
    if path.suffix == ".jsonl":
        lines = path.read_text().splitlines()
        return {f"row {i}": _timeless(json.loads(line)) for i, line in enumerate(lines)}
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text()))
    return {"bytes": path.read_bytes()}


def _network(path: Path) -> dict[str, object]:
    import h5py

    found: dict[str, object] = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".h5"):
                with archive.open(name) as member, h5py.File(member) as file:
                    file.visititems(partial(_keep, found))
            elif name != "metadata.json":  # when it was saved
                # Keras numbers what layers share by where it lies in memory.
                found[name] = re.sub(rb'"shared_object_id": \d+', b"", archive.read(name))
    return found


def _keep(found: dict[str, object], key: str, item: object) -> None:
    if hasattr(item, "dtype"):  # an array, not a group
        found[key] = item[()].tobytes()


def _timeless(content: dict) -> dict:
    if isinstance(content.get("values"), dict):
        return content | {"values": _timeless(content["values"])}
    return {key: value for key, value in content.items() if key != "images_per_second"}
