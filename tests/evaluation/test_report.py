import json

from evaluation import report


def test_table_has_a_column_for_every_number():
    text = report.table(
        {"mine": {"fid": 12.3456, "kid": 0.00012}, "reals": {"fid": 1234567.8, "neighbor_distance_ratio": 1}}
    )
    assert [line.split() for line in text.splitlines()] == [
        ["fid", "kid", "neighbor_distance_ratio"], ["mine", "12.35", "0.00012"], ["reals", "1,234,568", "1"],
    ]  # fmt: skip


def test_the_file_is_flat(tmp_path):
    path = report.write(tmp_path, {"mine": {"fid": 1.5}, "reals": {"fid": 0.5}}, {"num": 3})
    assert json.loads(path.read_text()) == {
        "fid": 1.5,
        "baselines": {"reals": {"fid": 0.5}},
        "settings": {"num": 3},
    }


def test_nested_numbers_are_rows_and_tables():
    colors = {"generated": {"contrast": 0.5}, "training": {"contrast": 0.25}}
    classes = {"generated": {"cubism": 1.0}, "training": {"cubism": 0.5}}
    first, second = report.tables("balance", {**colors, "classes": classes, "hue_distance": 0.125, "features": "x"})
    assert [line.split() for line in first.splitlines()] == [
        ["contrast", "hue_distance"], ["generated", "0.5"], ["training", "0.25"], ["balance", "0.125"],
    ]  # fmt: skip
    assert second == report.table(classes)
    assert report.tables("nearest", {"copies": 0.0}) == [report.table({"nearest": {"copies": 0.0}})]
    assert report.tables("sefa", {}) == []
