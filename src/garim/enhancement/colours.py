"""Enlarge a picture of any mode: grey, palette, transparent, CMYK, 16-bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from garim.resizing import Values, as_pixels, as_values

Enlarge = Callable[[Values], Values]
"""Enlarges RGB values 0 to 1, shape ``(height, width, 3)``."""

COLOURS = 256
"""Most colours of a palette."""


def enlarge_image(
    image: Image.Image, enlarge: Enlarge, enlarge_alpha: Enlarge | None = None
) -> Image.Image:
    """Enlarge a picture in its own mode.

    Grey goes through the network as a picture of three equal channels; transparency likewise, and
    colours that nobody sees are replaced by the nearest that is seen, so that they do not bleed
    into the edges. A palette gets new colours. One bit becomes 8-bit grey.

    Args:
        image: of any mode.
        enlarge: for its colours.
        enlarge_alpha: for its transparency; the same by default.
    """
    if image.mode == "P":
        full = image.convert("RGBA" if image.has_transparency_data else "RGB")
        return _with_palette(enlarge_image(full, enlarge, enlarge_alpha))
    if image.mode.startswith(("I", "F")):
        return _many_levels(image, enlarge)
    plain = _plain(image)
    values, mode = as_values(np.asarray(plain)), plain.mode
    if mode in {"LA", "RGBA"}:
        seen, alpha = _bled(values[..., :-1], values[..., -1]), values[..., -1]
        parts = [_colour(seen, enlarge), _alpha(alpha, enlarge_alpha or enlarge)[..., None]]
        return _as_image(np.concatenate(parts, axis=2), mode)
    if mode == "CMYK":  # inverted, the inks are what RGB is; black is a grey of its own
        inks = [
            _colour(1 - values[..., :3], enlarge),
            _grey(1 - values[..., 3], enlarge)[..., None],
        ]
        return _as_image(1 - np.concatenate(inks, axis=2), mode)
    return _as_image(_colour(values, enlarge), mode)


def _plain(image: Image.Image) -> Image.Image:
    """Bring rare modes, and transparency beside the pixels, to one of five modes."""
    if image.mode in {"L", "RGB"} and image.has_transparency_data:
        return image.convert("LA" if image.mode == "L" else "RGBA")
    known = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
    mode = known.get(image.mode, image.mode)
    mode = mode if mode in {"L", "LA", "RGB", "RGBA", "CMYK"} else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _colour(values: Values, enlarge: Enlarge) -> Values:
    if values.ndim == 2:
        return _grey(values, enlarge)
    return enlarge(values) if values.shape[2] == 3 else _grey(values[..., 0], enlarge)[..., None]


def _grey(values: Values, enlarge: Enlarge) -> Values:
    found: Values = enlarge(np.repeat(values[..., None], 3, axis=2)).mean(axis=2)
    return found


def _alpha(alpha: Values, enlarge: Enlarge) -> Values:
    """Enlarge transparency; what is all opaque or all transparent stays so exactly."""
    large = _grey(alpha, enlarge)
    return np.full_like(large, alpha.flat[0]) if np.ptp(alpha) == 0 else large


def _bled(values: Values, alpha: Values) -> Values:
    """Give invisible pixels the colour of the nearest visible one."""
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return values
    nearest = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    found: Values = values[tuple(nearest)]
    return found


def _many_levels(image: Image.Image, enlarge: Enlarge) -> Image.Image:
    """Enlarge grey of 16 or 32 bits, without a step through 8."""
    levels = np.asarray(image).astype(np.float64)
    if image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:
        levels = np.nan_to_num(levels, posinf=0, neginf=0)
        low, high = float(levels.min()), float(levels.max())
    span = high - low or 1.0
    large = _grey(((levels - low) / span).astype(np.float32), enlarge) * span + low
    if image.mode.startswith("F"):
        return Image.fromarray(large.astype(np.float32))
    kind = np.uint16 if image.mode.startswith("I;16") else np.int32
    return Image.fromarray(np.round(np.clip(large, low, high)).astype(kind))


def _as_image(values: Values, mode: str) -> Image.Image:
    pixels = as_pixels(values)
    return Image.fromarray(pixels[..., 0] if mode == "L" and pixels.ndim == 3 else pixels, mode)


def _with_palette(image: Image.Image) -> Image.Image:
    way = Image.Quantize.FASTOCTREE if image.mode == "RGBA" else Image.Quantize.MEDIANCUT
    return image.quantize(COLOURS, method=way)
