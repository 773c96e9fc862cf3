from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import pytest
from datasets_on_disk import draw_picture

from garim import formats
from garim.boxes import Box
from garim.errors import FormatError
from garim.formats.rows import Contents, Object, Row


def read(folder: Path, text: str | bytes, *names: str) -> Contents:
    for name in names or ("a.png", "b.png"):
        draw_picture(folder / name)
    (folder / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    root, found = formats.read(folder / "t.csv")
    assert root == folder
    return found


def test_one_line_per_label(tmp_path: Path) -> None:
    found = read(
        tmp_path, "\ufeffFileName;CLASS;Split\na.png; dog ;Val\na.png;cat;\na.png;dog;val\n"
    )
    assert found.rows == (
        Row(file_name="a.png", label="dog", split="validation"),
        Row(file_name="a.png", label="cat"),
    )
    assert found.classes == ("cat", "dog")


def test_the_split_comes_from_the_folders_without_a_column(tmp_path: Path) -> None:
    found = read(tmp_path, "path\tlabel\nvalid/x/a.png\tdog\n", "valid/x/a.png")
    assert found.rows == (Row(file_name="valid/x/a.png", label="dog", split="validation"),)


def test_boxes_of_a_picture_are_one_row(tmp_path: Path) -> None:
    table = (
        "file,label,xmin,ymin,xmax,ymax,width,height\n"
        "a.png,dog,1,2,3.5,4,37,23\na.png,dog,5,5,5,5,37,23\nb.png,cat,,,,,,\n"
    )
    dogs = (Object("dog", Box(1, 2, 3.5, 4)), Object("dog", Box(5, 5, 5, 5)))
    assert read(tmp_path, table).rows == (
        Row(file_name="a.png", label="dog", size=(37, 23), objects=dogs),
        Row(file_name="b.png", label="cat"),
    )


def test_boxes_by_width_and_height(tmp_path: Path) -> None:
    found = read(tmp_path, "image,label,x,y,w,h\na.png,dog,1,2,3,4\na.png,cat,1,2,3,4\n")
    box = Box(1, 2, 4, 6)
    objects = (Object("dog", box), Object("cat", box))
    assert found.rows == (Row(file_name="a.png", label=None, objects=objects),)


def test_a_picture_label_beside_those_of_its_boxes(tmp_path: Path) -> None:
    table = (
        "file,label,object,xmin,ymin,xmax,ymax\na.png,mixed,dog,1,2,3,4\na.png,mixed,cat,1,2,3,4\n"
    )
    (row,) = read(tmp_path, table).rows
    assert (row.label, [one.label for one in row.objects]) == ("mixed", ["dog", "cat"])


BAD = {
    "": "the cell 'file' is empty",
    "gone.png": "listed in t.csv:2 but not on disk",
    "../a.png": "leads outside",
    "/etc/a.png": "leads outside",
    "C:\\a.png": "leads outside",
}


@pytest.mark.parametrize("cell", BAD)
def test_bad_file_cells(cell: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"file,label\n{cell},dog\nb.png,cat\n")
    assert [row.file_name for row in found.rows] == ["b.png"]
    (failure,) = found.failures
    assert BAD[cell] in failure.error
    assert "t.csv:2" in failure.picture + failure.error


@pytest.mark.parametrize(
    "cells", ["dog,1,2,3,x", "dog,1,2,3,nan", "dog,1,2,3,", "dog,inf,2,3,4", ",1,2,3,4"]
)
def test_bad_boxes(cells: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"file,label,xmin,ymin,xmax,ymax\na.png,{cells}\nb.png,cat,1,2,3,4\n")
    assert [row.file_name for row in found.rows] == ["b.png"]
    (failure,) = found.failures
    assert failure.picture == "t.csv:2"
    assert "four finite numbers" in failure.error or "without a label" in failure.error


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "", "file\na.png\n"])
def test_missing_columns(text: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"a column for the file .*file_name.*label"):
        read(tmp_path, text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
def test_korean_tables(encoding: str, on_disk: str, tmp_path: Path) -> None:
    name = unicodedata.normalize(on_disk, "사진/고양이.png")
    found = read(tmp_path, "file,label\n사진\\고양이.png,고양이\n".encode(encoding), name)
    assert found.rows == (Row(file_name=name, label="고양이"),)


def test_the_only_table_of_a_folder(tmp_path: Path) -> None:
    read(tmp_path, "file,label\na.png,dog\n")
    assert len(formats.read(tmp_path, "csv")[1].rows) == 1
    (tmp_path / "u.csv").write_text("")
    with pytest.raises(FormatError, match=r"t\.csv, u\.csv"):
        formats.read(tmp_path, "csv")


def test_any_split_is_held(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    row = Row(file_name="a.png", label="dog", split="fold 3")
    formats.write(Contents(rows=(row,), classes=("dog",)), tmp_path, tmp_path / "t", "csv")
    assert formats.read(tmp_path / "t")[1].rows == (row,)


BOXES = {
    "x1,y1,x2,y2": "1,2,4,6",
    "Left,Top,Right,Bottom": "1,2,4,6",
    "x_min,y_min,x_max,y_max": "1,2,4,6",
    "ymax,xmax,ymin,xmin": "6,4,2,1",
    "xmin,ymin,width,height": "1,2,3,4",
    "left,top,w,h": "1,2,3,4",
    "x1,y1,width,height": "1,2,3,4",
    "x,y,width,height": "1,2,3,4",
    "bbox,xmin,ymin,xmax,ymax": "?,1,2,4,6",
}


@pytest.mark.parametrize("columns", BOXES)
def test_names_of_the_columns_of_a_box(columns: str, tmp_path: Path) -> None:
    (row,) = read(tmp_path, f"file,label,{columns}\na.png,dog,{BOXES[columns]}\n").rows
    assert row == Row(file_name="a.png", label="dog", objects=(Object("dog", Box(1, 2, 4, 6)),))


def test_whose_width_and_height_it_is(tmp_path: Path) -> None:
    both = "file,label,x,y,w,h,width,height\na.png,dog,1,2,3,4,37,23\n"
    (row,) = read(tmp_path, both).rows
    assert (row.size, row.objects[0].box) == ((37, 23), Box(1, 2, 4, 6))
    (row,) = read(tmp_path, "file,label,width,height\na.png,dog,37,23\n").rows
    assert (row.size, row.objects) == ((37, 23), ())


@pytest.mark.parametrize(
    "columns",
    ["xmin,ymin,xmax", "x1,y1", "xmin,ymin,xmax,width,height", "x_center,y_center,width,height",
     "cx,cy,w,h", "bbox", "x1,y1,right,bottom", "x,y,width"],
)  # fmt: skip
def test_columns_that_make_no_box_are_named(columns: str, tmp_path: Path) -> None:
    odd = columns.replace(",width", "").replace(",height", "").replace(",w,h", "")
    with pytest.raises(FormatError, match=odd.replace(",", ", ") + ".*xmin ymin xmax ymax, or"):
        read(tmp_path, f"file,label,{columns}\na.png,dog,1,2,3,4\n")


@pytest.mark.parametrize("column", ["x", "top", "width"])
def test_one_column_may_be_anything(column: str, tmp_path: Path) -> None:
    (row,) = read(tmp_path, f"file,label,{column}\na.png,dog,1\n").rows
    assert (row.label, row.objects) == ("dog", ())


def test_a_label_under_object_alone(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "file,object\na.png,dog\n").rows
    assert row.label == "dog"


def test_a_lone_carriage_return_is_read_by_others(tmp_path: Path) -> None:
    row = Row(file_name="a.png", source="x\ry.png")
    draw_picture(tmp_path / "a.png")
    formats.write(Contents(rows=(row,), classes=()), tmp_path, tmp_path / "t", "csv")
    with (tmp_path / "t/pictures.csv").open(encoding="utf-8", newline="") as stream:
        (line,) = csv.DictReader(stream)
    assert (line["file"], line["source"]) == ("a.png", "x\ry.png")
    assert formats.read(tmp_path / "t")[1].rows == (row,)
