from __future__ import annotations

import unicodedata

from garim.boxes import Box
from garim.formats.placing import file_part, pictures_of, place
from garim.formats.rows import Object, Row


def placed(*names: str, by_stem: bool = False) -> list[str]:
    return place([Row(file_name=name) for name in names], file_part, by_stem=by_stem)


def test_unique_names_stay() -> None:
    assert placed("a/1.jpg", "b/2.jpg", "1.png") == ["1.jpg", "2.jpg", "1.png"]


def test_equal_names_take_their_folder() -> None:
    assert placed("a/1.jpg", "b/1.jpg", "c/2.jpg") == ["a_1.jpg", "b_1.jpg", "2.jpg"]


def test_numbers_where_the_folder_is_not_enough() -> None:
    assert placed("x/a/1.jpg", "y/a/1.jpg", "1.jpg") == ["a_1.jpg", "a_1-2.jpg", "1.jpg"]


def test_a_prefixed_name_never_hits_a_unique_one() -> None:
    assert placed("a/1.jpg", "b/1.jpg", "c/a_1.jpg") == ["a_1-2.jpg", "b_1.jpg", "a_1.jpg"]


def test_case_and_unicode_form_do_not_tell_files_apart() -> None:
    nfd = unicodedata.normalize("NFD", "한.jpg")
    assert placed("a/한.jpg", f"b/{nfd}") == ["a_한.jpg", f"b_{nfd}"]
    assert placed("a/X.jpg", "b/x.JPG") == ["a_X.jpg", "b_x.JPG"]


def test_stems_where_another_file_is_paired() -> None:
    assert placed("a/1.jpg", "a/1.png", by_stem=True) == ["a_1.jpg", "a_1-2.png"]


def test_long_and_hidden_names() -> None:
    long = "가" * 78 + ".jpg"
    assert placed(f"folder/{long}", f"other/{long}") == [long, "가" * 78 + "-2.jpg"]
    assert placed(".a.jpg") == ["_.a.jpg"]


def test_placing_again_changes_nothing() -> None:
    once = placed("a/1.jpg", "b/1.jpg", "c/a_1.jpg", "d/A_1.JPG", ".b.jpg")
    assert placed(*once) == once


def test_rows_of_one_picture_become_one() -> None:
    dog, cat = Object("dog", Box(0, 0, 1, 1)), Object("cat", Box(0, 0, 2, 2))
    rows = [
        Row(file_name="a.jpg", label="dog", objects=(dog, dog)),
        Row(file_name="a.jpg", label="cat", objects=(dog, cat)),
        Row(file_name="b.jpg", label=None),
    ]
    merged = pictures_of(rows)
    assert [row.objects for row, _ in merged] == [(dog, dog, cat), ()]
    assert [held for _, held in merged] == [("dog", "cat"), (None,)]
