"""The demo's invented creatures: one drawing function and one line of `CREATURES` each.

Classes differ in shape. Hues vary within each and overlap between them, so that colour alone does
not tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from garim.boxes import Box
from garim.demo.drawing import (
    Colour,
    Points,
    Random,
    Sketch,
    blob,
    curve,
    ellipse,
    hsv,
    limb,
    mix,
    polygon,
    pose,
    shifted,
    shrunk,
    turned,
)

_BLUSH: Colour = (255, 120, 130)
_CREAM: Colour = (255, 246, 224)
_BEAK: Colour = (250, 160, 50)


@dataclass(frozen=True, slots=True)
class Palette:
    """One individual's colours."""

    main: Colour
    shade: Colour
    """Darker than ``main``: what lies behind, stripes."""
    pale: Colour
    """Lighter than ``main``: bellies, muzzles."""
    accent: Colour
    """Of another hue: wings, shells, spots."""


@dataclass(frozen=True, slots=True)
class Creature:
    """A class: how an individual is drawn, and which hues it may have, in degrees."""

    draw: Callable[[Palette, Random], Sketch]
    hues: tuple[float, float]


def draw_creature(name: str, rng: Random) -> Sketch:
    """Draw one individual of a class of `CREATURES`, with its own colours and pose."""
    creature = CREATURES[name]
    sketch = creature.draw(_palette(rng.uniform(*creature.hues), rng), rng)
    turn, flip = rng.uniform(-25, 25), bool(rng.random() < 0.5)
    return sketch.transformed(pose(turn, flip, rng.uniform(0.86, 1.18)))


def _palette(hue: float, rng: Random) -> Palette:
    saturation, value = rng.uniform(0.38, 0.78), rng.uniform(0.72, 0.98)
    main = hsv(hue, saturation, value)
    other = hue + rng.choice([-1, 1]) * rng.uniform(35, 170)
    accent = hsv(other, rng.uniform(0.4, 0.75), rng.uniform(0.8, 1.0))
    shade = hsv(hue - 12, saturation + 0.12, value * 0.74)
    return Palette(main, shade, mix(main, _CREAM, rng.uniform(0.6, 0.85)), accent)


def _spots(sketch: Sketch, colour: Colour, within: Box, count: int, rng: Random) -> None:
    """Add round spots with their middles in a box."""
    for x, y in rng.uniform(within.xyxy()[:2], within.xyxy()[2:], (count, 2)):
        radius = rng.uniform(0.03, 0.085)
        sketch.mark(ellipse(x, y, radius, radius), colour, 0.65)


def _muzzle(sketch: Sketch, y: float) -> None:
    """Add the nose and the split lip of a cat or a rabbit."""
    sketch.mark(shifted(blob("-.065,-.03 .065,-.03 0,.05"), 0, y), (222, 96, 120))
    lip = curve((-0.13, 0.07), (-0.07, 0.12), (0, 0.05), (0.07, 0.12), (0.13, 0.07))
    sketch.line(shifted(lip, 0, y), width=0.025)


def _awake(rng: Random) -> bool:
    return bool(rng.random() < 0.85)


def _emberling(palette: Palette, rng: Random) -> Sketch:
    """A little dragon: bat wings, horns, a flame at the tail's tip."""
    sketch, tip = Sketch(), (0.92, 0.18 + rng.uniform(-0.2, 0.2))
    wing = blob(".15,.1 .35,-.3 1,-.62 .97,-.2 .8,-.22 .76,.08 .57,.02 .5,.28")
    sketch.solids(turned(wing, rng.uniform(-22, 18), (0.2, 0.1)), palette.accent)
    sketch.solid(limb(curve((0.1, 0.75), (0.62, 0.8), (0.88, 0.58), tip), 0.3, 0.08), palette.main)
    flame = blob("0,.16 -.16,.03 -.09,-.14 .02,-.36 .08,-.12 .16,.03")
    sketch.solid(shifted(flame, *tip), (255, 150, 40))
    sketch.mark(shifted(flame * 0.55, tip[0], tip[1] + 0.05), (255, 235, 110))
    horn = limb(curve((0.14, -0.55), (0.26, -0.82), (0.36, -1.0)), 0.17, 0.03)
    sketch.solids(turned(horn, rng.uniform(-12, 12), (0.14, -0.55)), palette.pale)
    sketch.solid(blob("0,0 .3,.3 .42,.72 .24,.94", symmetric=True), palette.main)
    sketch.mark(ellipse(0, 0.66, 0.25, 0.36), palette.pale)
    for y in (0.5, 0.64, 0.78):
        fold = limb(curve((-0.3, y), (0, y + 0.04), (0.3, y)), 0.025, 0.025)
        sketch.mark(fold, palette.shade, 0.5)
    sketch.solids(ellipse(0.3, 0.93, 0.2, 0.11), palette.main)
    arm = limb(curve((0.28, 0.34), (0.4, 0.45), (0.44, 0.6)), 0.17, 0.12)
    sketch.solids(turned(arm, rng.uniform(-70, 40), (0.28, 0.34)), palette.main)
    sketch.solid(blob("0,-.72 .4,-.55 .47,-.22 .28,.08", symmetric=True), palette.main)
    sketch.gloss(-0.2, -0.52, 0.17, 0.09)
    sketch.eyes(0, -0.3, 0.5, 0.1, _awake(rng))
    sketch.mark(ellipse(0, -0.05, 0.27, 0.17), palette.pale)
    sketch.marks(ellipse(0.08, -0.12, 0.025, 0.03), palette.shade, 0.9)
    sketch.line(curve((-0.16, -0.03), (0, 0.05), (0.16, -0.03)))
    return sketch


def _shellby(palette: Palette, rng: Random) -> Sketch:
    """A turtle from the side: a tiled dome, a long neck, stubby legs."""
    sketch, step, lift = Sketch(), rng.uniform(-16, 16), rng.uniform(-0.28, 0.16)
    for x, swing in ((-0.38, step), (0.42, -step)):
        leg = limb(curve((x, 0.2), (x, 0.62)), 0.26, 0.3)
        sketch.solid(turned(leg, swing, (x, 0.2)), palette.shade)
    sketch.solid(polygon("-.65,.2 -1,.36 -.6,.4"), palette.main)
    neck = curve((0.45, 0.25), (0.8, 0.2 + lift / 3), (0.92, -0.1 + lift))
    sketch.solid(limb(neck, 0.32, 0.22), palette.main)
    sketch.solid(ellipse(0.98, lift - 0.22, 0.29, 0.25, rng.uniform(-8, 8)), palette.main)
    sketch.mark(ellipse(1.08, lift - 0.09, 0.2, 0.11), palette.pale)
    sketch.eyes(1.03, lift - 0.26, 0.23, 0.062, _awake(rng))
    sketch.line(curve((0.96, lift - 0.11), (1.07, lift - 0.06), (1.17, lift - 0.12)), width=0.025)
    for x, swing in ((-0.52, -step), (0.28, step)):
        leg = limb(curve((x, 0.25), (x, 0.68)), 0.28, 0.32)
        sketch.solid(turned(leg, swing, (x, 0.25)), palette.main)
    shell = mix(palette.accent, palette.shade, rng.uniform(0.1, 0.5))
    sketch.solid(blob("-.78,.3 -.74,-.12 -.42,-.5 0,-.62 .4,-.5 .68,-.12 .7,.3 0,.38"), shell)
    tile = polygon(".18,0 .09,.155 -.09,.155 -.18,0 -.09,-.155 .09,-.155")
    for column, start in ((-2, -0.23), (-1, -0.4), (0, -0.57), (1, -0.4), (2, -0.23)):
        for y in np.arange(start, 0.3, 0.345):
            sketch.mark(shifted(tile, column * 0.3 - 0.04, y), mix(shell, _CREAM, 0.4), 0.75)
    sketch.gloss(-0.34, -0.36, 0.2, 0.08)
    sketch.solid(limb(curve((-0.78, 0.3), (0, 0.38), (0.7, 0.3)), 0.15, 0.15), palette.pale)
    return sketch


def _pipwing(palette: Palette, rng: Random) -> Sketch:
    """A round bird from the side: beak, crest, fanned tail, thin legs."""
    sketch, fan = Sketch(), rng.uniform(10, 22)
    feather = limb(curve((-0.4, 0.15), (-0.75, 0.05), (-1.1, -0.08)), 0.16, 0.2)
    for turn in (-fan, 0, fan):
        sketch.solid(turned(feather, turn + rng.uniform(-4, 4), (-0.4, 0.15)), palette.shade)
    for x in (-0.06, 0.2):
        sketch.line(shifted(polygon("0,.6 .03,.92"), x, 0), _BEAK, 0.06)
        sketch.line(shifted(polygon("-.1,.97 .03,.9 .17,.97"), x, 0), _BEAK, 0.05)
    plume = limb(curve((0.3, -0.6), (0.3, -0.8), (0.24, -1.0)), 0.1, 0.07)
    for turn in (-38, -8, 22):
        sketch.solid(turned(plume, turn + rng.uniform(-8, 8), (0.3, -0.5)), palette.accent)
    gape = rng.uniform(-7, 7)
    for beak in (".6,-.08 .66,-.02 .95,-.02 .68,.1", ".6,-.22 .74,-.22 1.05,-.04 .7,.02"):
        sketch.solid(turned(blob(beak), gape, (0.6, 0)), _BEAK)
    body = "-.12,-.42 .3,-.7 .62,-.48 .7,-.08 .62,.36 .25,.68 -.22,.62 -.58,.28 -.42,0"
    sketch.solid(blob(body), palette.main)
    sketch.mark(ellipse(0.42, 0.34, 0.4, 0.42, 30), palette.pale)
    sketch.gloss(0.1, -0.5, 0.14, 0.08)
    sketch.mark(ellipse(0.42, -0.3, 0.2, 0.2), palette.pale)
    sketch.eyes(0.42, -0.3, 0.0, 0.1, _awake(rng))
    sketch.mark(ellipse(0.5, -0.06, 0.1, 0.065), _BLUSH, 0.55)
    wing = blob(".14,-.1 .2,.18 -.08,.36 -.62,.42 -.36,.08 -.12,-.12")
    wing = turned(wing, rng.uniform(-12, 75), (0.08, 0))
    sketch.solid(wing, palette.shade)
    sketch.mark(shrunk(wing, 0.6), palette.accent, 0.8)
    return sketch


def _bubblefin(palette: Palette, rng: Random) -> Sketch:
    """A whale from the side: a big head, a grooved belly, raised flukes."""
    sketch, lift = Sketch(), rng.uniform(-0.16, 0.24)
    fluke = ".03,.1 -.08,-.06 -.36,-.12 -.42,-.3 -.16,-.32 0,-.17 .18,-.38 .4,-.34 .32,-.14 .12,.02"
    tail = shifted(turned(blob(fluke), rng.uniform(-20, 15)), -0.92, lift - 0.42)
    sketch.solid(tail, palette.shade)
    sketch.solid(polygon("-.12,-.36 -.34,-.68 .16,-.44"), palette.shade)
    body = blob(".55,-.5 .92,-.26 .98,.12 .72,.42 .2,.54 -.35,.4 -.78,.02 -.98,-.36 -.8,-.44 "
                "-.5,-.16 -.05,-.4")  # fmt: skip
    bent = np.clip(-(body[:, 0] + 0.2) / 0.7, 0, 1) ** 2 * lift
    sketch.solid(body + np.stack([np.zeros_like(bent), bent], axis=1), palette.main)
    sketch.mark(blob("1.1,.1 .6,.14 .1,.26 -.4,.25 -.6,.4 .2,.8 1,.6"), palette.pale)
    for y in (0.3, 0.38, 0.46):
        groove = limb(curve((0.95, y - 0.06), (0.4, y + 0.02), (-0.15, y)), 0.025, 0.012)
        sketch.mark(groove, palette.shade, 0.55)
    _spots(sketch, palette.accent, Box(-0.5, -0.4, 0.4, -0.1), int(rng.integers(0, 7)), rng)
    sketch.gloss(0.48, -0.37, 0.24, 0.07)
    sketch.eyes(0.56, -0.07, 0.0, 0.085, _awake(rng))
    sketch.mark(ellipse(0.42, 0.08, 0.1, 0.06), _BLUSH, 0.5)
    sketch.line(curve((0.62, 0.13), (0.74, 0.18), (0.87, 0.1)), width=0.035)
    fin = blob(".22,.2 .3,.36 .1,.78 -.12,.84 -.06,.5 .02,.26")
    sketch.solid(turned(fin, rng.uniform(-18, 45), (0.16, 0.26)), palette.shade)
    return sketch


def _whiskit(palette: Palette, rng: Random) -> Sketch:
    """A sitting cat: pointed ears, whiskers, stripes, a curling tail."""
    sketch, curl = Sketch(), rng.uniform(-0.2, 0.25)
    spine = curve(
        (0.15, 0.82), (0.6, 0.84), (0.82, 0.5), (0.72 + curl / 2, 0.12), (0.9 + curl, -0.1)
    )
    sketch.solid(limb(spine, 0.22, 0.15), palette.main)
    for start in (16, 22, 28):
        sketch.mark(limb(spine[start : start + 3], 0.4, 0.4), palette.shade, 0.9)
    sketch.solid(blob("0,0 .3,.3 .44,.74 .3,.95", symmetric=True), palette.main)
    sketch.mark(blob("0,.2 .2,.42 .15,.75", symmetric=True), palette.pale)
    for y in (0.48, 0.64):
        sketch.marks(ellipse(0.42, y, 0.14, 0.035, 25), palette.shade, 0.9)
    for x in (-0.14, 0.14):
        sketch.solid(limb(curve((x, 0.55), (x, 0.9)), 0.2, 0.23), palette.main)
        sketch.mark(ellipse(x, 0.98, 0.16, 0.12), palette.pale)
    for side in (1, -1):
        ear = polygon(".12,-.5 .46,-1 .54,-.34")
        ear = turned(ear, rng.uniform(-12, 12), (0.34, -0.4)) * (side, 1)
        sketch.solid(ear, palette.main)
        sketch.mark(shrunk(ear, 0.58), mix(_BLUSH, palette.pale, 0.4))
    sketch.solid(blob("0,-.66 .36,-.56 .52,-.28 .62,-.02 .3,.14", symmetric=True), palette.main)
    for x in (-0.13, 0.0, 0.13):
        sketch.mark(ellipse(x, -0.6, 0.035, 0.14), palette.shade, 0.9)
    sketch.mark(ellipse(0, 0.0, 0.24, 0.14), palette.pale)
    sketch.eyes(0, -0.22, 0.5, 0.095, _awake(rng))
    sketch.marks(ellipse(0.39, -0.03, 0.08, 0.05), _BLUSH, 0.5)
    _muzzle(sketch, -0.07)
    for x, y in ((1, -0.04), (1, 0.06), (-1, -0.04), (-1, 0.06)):
        sketch.line(np.array([(x * 0.34, y), (x * 0.72, y * 2.2 - 0.06)]), width=0.014)
    return sketch


def _morelle(palette: Palette, rng: Random) -> Sketch:
    """A mushroom spirit: a spotted cap over a pale face, tiny arms and feet."""
    sketch, tilt = Sketch(), rng.uniform(-9, 9)
    stem, peak = mix(palette.pale, _CREAM, 0.6), rng.uniform(0.75, 1.0)
    sketch.solids(ellipse(0.2, 0.9, 0.19, 0.11), palette.shade)
    arm = limb(curve((0.32, 0.42), (0.48, 0.52), (0.62, 0.5)), 0.14, 0.11)
    for side in (1, -1):
        sketch.solid(turned(arm, rng.uniform(-55, 40), (0.32, 0.42)) * (side, 1), stem)
    sketch.solid(blob(".3,-.1 .36,.35 .42,.72 .2,.9", symmetric=True), stem)
    sketch.eyes(0, 0.38, 0.34, 0.078, _awake(rng))
    sketch.marks(ellipse(0.26, 0.51, 0.075, 0.05), _BLUSH, 0.5)
    sketch.mark(ellipse(0, 0.55, 0.06, rng.uniform(0.025, 0.06)), (190, 70, 80))
    under = turned(ellipse(0, 0.06, 0.8, 0.17), tilt)
    sketch.solid(under, mix(palette.pale, palette.shade, 0.35))
    for x in np.linspace(-0.66, 0.66, 9):
        gill = limb(curve((x * 0.55, -0.05), (x, 0.22)), 0.016, 0.016)
        sketch.mark(turned(gill, tilt), palette.shade, 0.6)
    cap = blob("0,-.95 .42,-.84 .8,-.36 .94,.05 .5,-.01 0,-.04", symmetric=True) * (1, peak)
    sketch.solid(turned(cap, tilt), palette.main)
    spots = polygon("-.05,-.55 .5,-.37 -.55,-.34 .2,-.17 -.25,-.15 .8,-.08 -.84,-.05") * (1, peak)
    for (x, y), radius in zip(spots, (0.19, 0.14, 0.15, 0.1, 0.08, 0.1, 0.08), strict=True):
        size = radius * rng.uniform(0.7, 1.15)
        spot = turned(ellipse(x, y, size, size * 0.82), tilt)
        sketch.mark(spot, mix(palette.accent, (255, 255, 255), 0.65))
    sketch.gloss(-0.4, -0.68 * peak, 0.2, 0.06)
    return sketch


def _inkaboo(palette: Palette, rng: Random) -> Sketch:
    """An octopus: a bulging head over curling arms with suckers."""
    sketch, tall = Sketch(), rng.uniform(0.82, 1.0)
    for x in (-0.38, -0.13, 0.13, 0.38):
        sketch.solid(limb(_tentacle(x, 2.5, rng), 0.26, 0.07), palette.shade)
    for x in (-0.27, 0.0, 0.27):
        spine = _tentacle(x, 2.0, rng)
        sketch.solid(limb(spine, 0.26, 0.07), palette.main)
        for step in range(12, len(spine) - 2, 4):
            (at, y), radius = spine[step], 0.034 * (1.3 - step / 40)
            sketch.mark(ellipse(at - 0.03, y, radius, radius), palette.pale)
    head = blob("0,-1 .42,-.86 .6,-.42 .44,0 .36,.2 0,.28", symmetric=True) * (1, tall)
    sketch.solid(head, palette.main)
    _spots(sketch, palette.accent, Box(-0.5, -0.9, 0.5, -0.4), int(rng.integers(2, 7)), rng)
    sketch.gloss(-0.24, -0.78 * tall, 0.16, 0.08)
    awake = _awake(rng)
    if awake:
        sketch.marks(ellipse(0.19, -0.12, 0.15, 0.17), (255, 255, 255))
    sketch.eyes(rng.uniform(-0.03, 0.03), -0.1, 0.38, 0.095, awake)
    sketch.marks(ellipse(0.31, 0.09, 0.08, 0.05), _BLUSH, 0.5)
    sketch.line(curve((-0.1, 0.12), (0, 0.17), (0.1, 0.12)))
    return sketch


def _tentacle(x: float, spread: float, rng: Random) -> Points:
    """Give the spine of an arm that leaves the head at ``x`` and hooks up at its end."""
    bend, drop, rise = rng.uniform(-0.08, 0.08), rng.uniform(0.68, 0.98), rng.uniform(0.05, 0.35)
    hook = 0.2 * (np.sign(x) or rng.choice([-1, 1]))
    out = x * spread * rng.uniform(0.8, 1.15)
    end = (out + hook * 1.2, drop - rise)
    return curve((x, 0.05), (x * 1.7 + bend, 0.42), (out, drop), (out + hook, drop + 0.02), end)


def _thumpet(palette: Palette, rng: Random) -> Sketch:
    """A rabbit: long ears that may flop, big feet, a cotton tail."""
    sketch, hop = Sketch(), rng.uniform(-14, 14)
    sketch.solid(ellipse(0.44, 0.68, 0.19, 0.18), _CREAM)
    for side in (-1, 1):
        flop = rng.uniform(-0.06, 0.2) if rng.random() < 0.7 else rng.uniform(0.3, 0.5)
        tip = (0.2 + flop, -1.2 + 1.1 * flop)
        spine = curve((0.16, -0.25), (0.19 + flop * 0.1, -0.72), tip) * (side, 1)
        sketch.solid(limb(spine, 0.24, 0.22), palette.main)
        sketch.mark(limb(spine[3:], 0.1, 0.09), mix(_BLUSH, palette.pale, 0.45))
    sketch.solid(ellipse(0, 0.58, 0.42, 0.4), palette.main)
    sketch.mark(ellipse(0, 0.64, 0.25, 0.28), palette.pale)
    for side in (-1, 1):
        foot = turned(ellipse(0.32, 0.92, 0.27, 0.13), hop, (0.2, 0.9)) * (side, 1)
        sketch.solid(foot, palette.main)
        sketch.mark(shrunk(foot, 0.55), _BLUSH, 0.4)
    for side in (-1, 1):
        arm = limb(curve((0.24, 0.36), (0.3, 0.6)), 0.17, 0.16)
        arm = turned(arm, rng.uniform(-60, 25), (0.24, 0.36))
        sketch.solid(arm * (side, 1), palette.main)
    sketch.solid(blob("0,-.44 .34,-.34 .52,-.04 .36,.26 0,.34", symmetric=True), palette.main)
    if rng.random() < 0.4:
        sketch.mark(ellipse(0.23, -0.04, 0.17, 0.2), palette.shade, 0.8)
    sketch.gloss(-0.2, -0.27, 0.14, 0.07)
    sketch.eyes(0, -0.05, 0.46, 0.088, _awake(rng))
    sketch.marks(ellipse(0.34, 0.12, 0.09, 0.06), _BLUSH, 0.5)
    sketch.mark(ellipse(0, 0.16, 0.2, 0.12), palette.pale)
    sketch.mark(polygon("-.035,.18 .035,.18 .035,.28 -.035,.28"), (255, 255, 255))
    _muzzle(sketch, 0.08)
    return sketch


CREATURES: dict[str, Creature] = {
    "bubblefin": Creature(_bubblefin, hues=(165, 275)),
    "emberling": Creature(_emberling, hues=(-25, 60)),
    "inkaboo": Creature(_inkaboo, hues=(235, 365)),
    "morelle": Creature(_morelle, hues=(-40, 50)),
    "pipwing": Creature(_pipwing, hues=(150, 260)),
    "shellby": Creature(_shellby, hues=(65, 170)),
    "thumpet": Creature(_thumpet, hues=(275, 385)),
    "whiskit": Creature(_whiskit, hues=(10, 70)),
}
"""Every class by name, in alphabetical order, as folders are listed."""
