"""Archives of pictures as data sets, well-meant ones and others."""

import io
import os
import struct
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from core.errors import GessoError
from data import image_folder, unpaired, wikiart
from data.archives import list_tar, list_zip
from data.tfrecord import parse


@pytest.fixture(scope="module")
def kinds(two_classes, tmp_path_factory) -> Path:
    """The same nine pictures in each kind of archive; in the tar, below two folders."""
    folder = tmp_path_factory.mktemp("archives")
    files = sorted(path for path in two_classes.rglob("*.png"))
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / f"{name}.zip", "w", method) as archive:
            for file in files:
                archive.write(file, file.relative_to(two_classes))
            archive.writestr("__MACOSX/red/0.png", b"x")
            archive.writestr("red/@eaDir/0.png", b"x")
            archive.writestr("red/.hidden.png", b"x")
            archive.writestr("read me.txt", b"x")
    with tarfile.open(folder / "deep.tar", "w") as archive:
        for file in files:
            archive.add(file, f"./some/where/{file.relative_to(two_classes)}")
    return folder


@pytest.mark.parametrize("name", ["stored.zip", "deflated.zip", "deep.tar"])
def test_an_archive_is_what_the_folder_would_be(kinds, two_classes, tmp_path, name):
    before = sorted(path.name for path in kinds.iterdir())
    cache = str(tmp_path)
    for make in (image_folder.load, wikiart.load):
        folder, archive = (make(str(root), image_size=16, cache_dir=cache) for root in (two_classes, kinds / name))
        assert archive.spec.class_names == folder.spec.class_names == ("blue", "red")
        np.testing.assert_array_equal(archive.labels, folder.labels)
        np.testing.assert_array_equal(archive.images[np.arange(9)], folder.images[np.arange(9)])
    assert len(image_folder.load(str(kinds / name), 16, cache, limit=4)) == 4
    assert archive.fingerprint != folder.fingerprint and archive.spec.name == "wikiart"
    assert sorted(path.name for path in kinds.iterdir()) == before


def test_several_in_a_folder_are_one(kinds, tmp_path):
    both = unpaired.load(str(kinds), str(kinds / "deep.tar"), 16, str(tmp_path))
    assert len(both.first) == 27 and len(both.second) == 9


def pictures(*names: str) -> dict[str, bytes]:
    from PIL import Image

    content = io.BytesIO()
    Image.new("RGB", (20, 20), (200, 0, 0)).save(content, "PNG")
    return dict.fromkeys(names, content.getvalue())


def zipped(path: Path, files: dict[str, bytes]) -> bytearray:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return bytearray(path.read_bytes())


def load(path: Path, cache: Path):
    return image_folder.load(str(path), 8, str(cache))


def test_names_that_lead_elsewhere_lead_nowhere(tmp_path):
    names = ("../../etc/a.png", "/etc/b.png", "C:\\c.png", "x/../../d.png", "\u202egnp.e.png")
    zipped(tmp_path / "a.zip", pictures(*names))
    before = sorted(tmp_path.parent.iterdir())
    assert len(load(tmp_path / "a.zip", tmp_path / "cache")) == 5
    assert sorted(tmp_path.parent.iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "cache"]


def test_sizes_are_not_believed(tmp_path, caplog):
    """One that claims gigabytes, one that holds more than it claims, one whose bytes are others."""
    content = zipped(tmp_path / "a.zip", pictures("fine.png", "huge.png", "more.png", "other.png"))
    directory = content.index(b"PK\1\2")
    at = {name: content.index(name, directory) - 46 for name in (b"huge.png", b"more.png", b"other.png")}
    struct.pack_into("<I", content, at[b"huge.png"] + 24, 2**31)
    struct.pack_into("<I", content, at[b"more.png"] + 24, 30)
    struct.pack_into("<I", content, at[b"other.png"] + 16, 1)
    (tmp_path / "a.zip").write_bytes(content)
    assert len(load(tmp_path / "a.zip", tmp_path / "cache")) == 1
    assert "Skipped 3 of 4" in caplog.text and "huge.png: claims to be 2.1 GB large" in caplog.text
    assert caplog.text.count("is damaged in the archive") == 2


def test_places_that_no_file_has_are_none(tmp_path, caplog):
    """A .zip that says that a picture begins at byte 2**64 - 2; a .tar in which the second follows on itself."""
    content = zipped(tmp_path / "a.zip", pictures("a.png", "b.png"))
    at = content.rindex(b"PK\1\2")
    name = content.index(b"b.png", at)
    extra = struct.pack("<HHQ", 1, 8, 2**64 - 2)
    struct.pack_into("<H", content, at + 30, len(extra))
    struct.pack_into("<I", content, at + 42, 0xFFFFFFFF)
    content[name + 5 : name + 5] = extra
    end = content.rindex(b"PK\5\6")
    struct.pack_into("<I", content, end + 12, struct.unpack_from("<I", content, end + 12)[0] + len(extra))
    (tmp_path / "a.zip").write_bytes(content)
    assert len(load(tmp_path / "a.zip", tmp_path / "cache")) == 1 and "b.png: is damaged" in caplog.text

    first, second = tarfile.TarInfo("a.png"), tarfile.TarInfo("b.png")
    header = bytearray(second.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + struct.pack(">h", -512)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(first.tobuf(tarfile.GNU_FORMAT) + header + bytes(1024))
    with pytest.raises(GessoError, match=r"a\.tar is no \.tar archive, or it is damaged"):
        load(tmp_path / "a.tar", tmp_path / "cache")


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        (
            tarfile.XHDTYPE,
            b"1" * 2**17,
            "a header claims to be 131072 bytes large",
        ),  # seconds, and 64 times at 1 MB
        (tarfile.XGLTYPE, b"1" * 60_000, "numbers without end"),
        (tarfile.GNUTYPE_LONGNAME, b"a" * 2**17, "a header claims to be 131072 bytes large"),
        (tarfile.GNUTYPE_LONGLINK, b"a" * 2**17, "a header claims to be 131072 bytes large"),
        (tarfile.XGLTYPE, b"".join(b"10 %04d=1\n" % i for i in range(2000)), "more than 1000 attributes"),
    ],
)
def test_headers_that_would_be_parsed_for_hours_are_refused(tmp_path, kind, content, words):
    header = tarfile.TarInfo("head")
    header.type, header.size = kind, len(content)
    padded = content + bytes(-len(content) % 512)
    blocks = header.tobuf(tarfile.USTAR_FORMAT) + padded + tarfile.TarInfo("a.png").tobuf(tarfile.USTAR_FORMAT)
    (tmp_path / "a.tar").write_bytes(blocks + bytes(1024))
    with pytest.raises(GessoError, match=words):
        list_tar(tmp_path / "a.tar")


def test_long_names_and_attributes_are_read(tmp_path):
    name = "/".join(["a" * 200] * 4) + "/b.png"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=form) as archive:
            member = tarfile.TarInfo(name)
            member.pax_headers = {"SCHILY.xattr.user.icon": "x" * 60_000}
            archive.addfile(member)
        assert list_tar(tmp_path / "a.tar").names == [name]


def test_an_archive_in_an_archive_stays_closed(tmp_path):
    zipped(tmp_path / "inner.zip", pictures("a.png"))
    zipped(tmp_path / "outer.zip", {"inner.zip": (tmp_path / "inner.zip").read_bytes()})
    with pytest.raises(GessoError, match=r"no pictures in .*outer"):
        load(tmp_path / "outer.zip", tmp_path / "cache")


def test_links_in_archives_are_not_followed(tmp_path, caplog):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, content in pictures("fine.png").items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"{kind.decode()}.png")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    assert len(load(tmp_path / "a.tar", tmp_path / "cache")) == 1
    assert caplog.text.count("is a link") == 2 and "6.png: is no ordinary file" in caplog.text
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "is a link" in list_zip(tmp_path / "a.zip").notes[0]


def test_what_cannot_be_read_is_said(tmp_path, kinds):
    content = zipped(tmp_path / "whole.zip", pictures("a.png", "b.png"))
    (tmp_path / "cut.zip").write_bytes(content[: len(content) // 2])
    content[content.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(content)
    (tmp_path / "text.zip").write_text("hello")
    tar = (kinds / "deep.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(tar[: len(tar) // 2])
    (tmp_path / "gz.tar").write_bytes(b"\x1f\x8b" + tar)
    with tarfile.open(tmp_path / "plain.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, picture in pictures("a.png", "b.png", "c.png").items():
            member = tarfile.TarInfo(name)
            member.size = len(picture)
            archive.addfile(member, io.BytesIO(picture))
    plain = (tmp_path / "plain.tar").read_bytes()
    third = plain.index(b"c.png")
    (tmp_path / "flipped.tar").write_bytes(plain[:third] + b"X" + plain[third + 1 :])
    (tmp_path / "header.tar").write_bytes(plain[: third + 100])
    (tmp_path / "joined.tar").write_bytes(tar + tar)
    (tmp_path / "text.tar").write_text("hello")
    (tmp_path / "a.tar.gz").touch()
    (tmp_path / "a.txt").touch()
    for name, words in (
        ("cut.zip", r"cut\.zip is no \.zip archive, or it is damaged or cut off"),
        ("text.zip", "is damaged or cut off"),
        ("locked.zip", r"is encrypted \(a\.png\).*password"),
        ("cut.tar", "damaged or cut off"),
        ("gz.tar", "gunzip gz.tar"),
        ("flipped.tar", r"damaged or cut off \(.*no part of it"),
        ("header.tar", r"damaged or cut off \(.*no part of it"),
        ("joined.tar", "joined ones are to be given apart"),
        ("text.tar", "damaged or cut off"),
        ("a.tar.gz", "compressed"),
        ("a.txt", r"is a file, not a folder or an archive.*\.zip"),
    ):
        with pytest.raises(GessoError, match=words):
            load(tmp_path / name, tmp_path / "cache")


def test_records_are_read_as_tensorflow_writes_them(two_classes, tmp_path):
    import tensorflow as tf

    files = sorted(two_classes.rglob("*.png"))
    path, numbers = tmp_path / "train.tfrecord-00000-of-00001", {"blue": 3, "red": -1}
    with tf.io.TFRecordWriter(str(path)) as writer:
        for file in files:
            label = numbers[file.parent.name]
            feature = {
                "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[file.read_bytes()])),
                "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                "box": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 1.5])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    assert parse(example.SerializeToString())["image/class/label"] == [-1]
    del example.features.feature["image/class/label"]
    example.features.feature["image/filename"].bytes_list.value.append(b"train/0.png")
    with tf.io.TFRecordWriter(str(tmp_path / "plain.tfrecord")) as writer:
        for _ in range(3):
            writer.write(example.SerializeToString())
    assert load(tmp_path / "plain.tfrecord", tmp_path / "cache").spec.class_names == ()  # no folder a picture
    (tmp_path / "plain.tfrecord").unlink()
    dataset = load(tmp_path, tmp_path / "cache")
    expected = load(two_classes, tmp_path / "cache")
    assert dataset.spec.class_names == ("-1", "3")
    np.testing.assert_array_equal(dataset.images[np.arange(9)], expected.images[np.arange(9)])
    np.testing.assert_array_equal(dataset.labels, 1 - expected.labels)
    content = path.read_bytes()
    for name, damaged, words in (
        ("cut.tfrecord", content[:-5], "cut off after 8 records"),
        ("text.tfrecord", b"hello, this is a text", "is no TFRecord file"),
        ("length.tfrecord", content[:3] + b"\7" + content[4:], "checksum is wrong"),
    ):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(GessoError, match=words):
            load(tmp_path / name, tmp_path / "cache")
    example.features.feature["image"].bytes_list.value.append(b"x")
    del example.features.feature["image/encoded"], example.features.feature["image"]
    with tf.io.TFRecordWriter(str(tmp_path / "none.tfrecord")) as writer:
        writer.write(example.SerializeToString())
    with pytest.raises(GessoError, match=r"record 0 has no picture.*but image/filename"):
        load(tmp_path / "none.tfrecord", tmp_path / "cache")


@pytest.mark.parametrize("seed", range(3))
def test_no_record_makes_the_parser_do_anything_else(seed):
    rng = np.random.default_rng(seed)
    for _ in range(300):
        with suppress(ValueError, IndexError):
            parse(rng.integers(0, 256, rng.integers(1, 60), np.uint8).tobytes())


def test_an_archive_is_looked_through_once(kinds, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("data.archives.zipfile.ZipFile.infolist", lambda self: calls.append(1) or [])
    with pytest.raises(GessoError, match="no pictures"):
        load(kinds / "stored.zip", tmp_path / "cache")
    with pytest.raises(GessoError, match="no pictures"):
        load(kinds / "stored.zip", tmp_path / "cache")
    os.utime(kinds / "stored.zip", (1, 1))
    with pytest.raises(GessoError, match="no pictures"):
        load(kinds / "stored.zip", tmp_path / "cache")
    assert len(calls) == 2
