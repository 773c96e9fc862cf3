"""Outlines of masks, beside what is known of drawn shapes."""

from __future__ import annotations

from xml.etree import ElementTree

import cv2
import numpy as np

from garim.foreground import OutlineSettings, contours, largest_contour, outlines
from garim.foreground.outlines import to_svg


def two_discs() -> np.ndarray:
    mask = np.zeros((60, 100), np.uint8)
    cv2.circle(mask, (30, 30), 20, 1, -1)
    cv2.circle(mask, (80, 20), 6, 1, -1)
    return mask


def test_the_largest_comes_first_and_has_its_area() -> None:
    found = contours(two_discs())
    assert [one.dtype for one in found] == [np.int32] * 2
    areas = [cv2.contourArea(one) for one in found]
    assert areas == sorted(areas, reverse=True)
    assert abs(areas[0] - np.pi * 20**2) < 0.06 * areas[0]
    assert np.array_equal(largest_contour(two_discs()), found[0])
    assert found[0].min(axis=0).tolist() == [10, 10]
    assert found[0].max(axis=0).tolist() == [50, 50]


def test_masks_of_every_kind_mean_the_same() -> None:
    mask = two_discs()
    for other in (mask.astype(bool), mask * 255, mask.astype(np.float32) * 0.6):
        assert np.array_equal(largest_contour(other), largest_contour(mask))
    assert largest_contour(mask.astype(np.float32) * 0.5).shape == (0, 2)


def test_small_outlines_are_left_out() -> None:
    assert len(contours(two_discs(), smallest=0.05)) == 1


def test_outlines_fill_to_their_regions_again() -> None:
    filled = cv2.drawContours(np.zeros((60, 100), np.uint8), contours(two_discs()), -1, 1, -1)
    assert np.array_equal(filled, two_discs())


def test_an_svg_has_the_pictures_view_box_and_a_path_each() -> None:
    tree = ElementTree.fromstring(to_svg(contours(two_discs()), (100, 60)))  # noqa: S314 - ours
    assert tree.attrib["viewBox"] == "0 0 100 60"
    assert len(tree) == 2
    assert tree[0].attrib["d"].startswith("M") and tree[0].attrib["d"].endswith("Z")


def test_the_background_shows_in_grey_and_not_in_the_foreground() -> None:
    pixels = np.full((96, 96, 3), (90, 120, 90), np.uint8)
    pixels[:, 60:] = (170, 200, 170)  # a bright part of the background
    cv2.circle(pixels, (40, 48), 20, (200, 30, 30), -1)
    found = outlines(pixels, OutlineSettings(level=127))
    assert [cv2.boundingRect(one) for one in found.grey] == [(60, 0, 36, 96)]
    x, y, width, height = cv2.boundingRect(found.foreground[0])
    assert np.abs(np.array([x, y, width, height]) - [20, 28, 41, 41]).max() <= 2
    assert found.to_dict()["foreground"][0]["box"] == [x, y, width, height]
