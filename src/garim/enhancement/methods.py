"""What enlarges: a trained model, the picture itself, or bicubic interpolation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from garim import files
from garim.enhancement.colours import Enlarge
from garim.enhancement.settings import UpscaleSettings, passes, read_kernel
from garim.enhancement.zero_shot import zero_shot
from garim.errors import ModelError
from garim.models import folder, other_upscalers, saved, upscaler
from garim.models.upscaler import Upscaler
from garim.resizing import Values, resize
from garim.training.degradation import Degradation


@dataclass(frozen=True, slots=True)
class Method:
    """A way to enlarge."""

    colours: Enlarge
    """For what is seen."""
    transparency: Enlarge
    """For how much of it is seen; does not learn."""
    name: str
    """Names the weights and all else that the result depends on."""


def chosen(settings: UpscaleSettings) -> Method:
    """Set up the method that the settings ask for.

    Raises:
        SettingsError: the model's scale and the one asked for do not fit, or a broken kernel file.
        ModelError: the model cannot be opened.
    """
    if settings.method == "bicubic":
        plain = partial(bicubic, scale=settings.scale)
        return Method(plain, plain, "bicubic")
    model = open_model(settings)
    model.tile = settings.tile
    count = passes(settings.scale, model.scale)
    enlarge = partial(repeatedly, model, count)
    weights = folder.fingerprint(model.network)
    if settings.method == "model":
        return Method(enlarge, enlarge, weights)
    kernel = read_kernel(settings.kernel) if settings.kernel else ()
    how = Degradation(blur=settings.blur, kernel=kernel)
    learning = partial(learned, model, count, how, settings.seconds)
    name = files.digest_of([weights, how.blur, how.kernel, settings.seconds])
    return Method(learning, enlarge, name)


def open_model(settings: UpscaleSettings) -> Upscaler:
    """Open the model that was named, or the one that comes with Garim.

    Raises:
        ModelError: it cannot be opened, or is no upscaler.
    """
    if settings.model is None:
        return upscaler.shipped()
    if settings.model.is_file():
        return other_upscalers.load_other(settings.model)
    found = saved.load(settings.model)
    if not isinstance(found, Upscaler):
        raise ModelError(f"{settings.model}: is a {type(found).__name__.lower()}, not an upscaler")
    return found


def bicubic(values: Values, scale: int) -> Values:
    """Enlarge by bicubic interpolation."""
    return resize(values, (scale * values.shape[1], scale * values.shape[0])).clip(0, 1)


def repeatedly(model: Upscaler, count: int, values: Values) -> Values:
    """Enlarge so many times."""
    for _ in range(count):
        values = model.enlarge(values)
    return values


def learned(
    model: Upscaler, count: int, how: Degradation, seconds: float, values: Values
) -> Values:
    """Learn from the picture, then enlarge; later passes learn from what the first one made."""
    for _ in range(count):
        values = zero_shot(model, values, how, seconds / count).enlarge(values)
        how = Degradation()  # what is made is sharp
    return values
