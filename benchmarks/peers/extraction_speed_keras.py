"""The document's procedure in Keras, one predict call per crop: run by extraction_speed.py.

    KERAS_PYTHON extraction_speed_keras.py NETWORK SIDE CLASSES ROUNDS PICTURE...

Needs an interpreter that has keras and Pillow, and nothing of Garim. Weights are random: a network
takes the same time with any. Prints the seconds per picture.
"""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
from keras import applications, layers, models
from PIL import Image

GRID, KERNEL = 9, 5


def main() -> None:
    """Time the rounds of every picture."""
    network, side, classes, rounds = sys.argv[1], *(int(v) for v in sys.argv[2:5])
    model = build(network, side, classes)
    predict(model, Image.new("RGB", (side, side)), side)  # the first call compiles
    started = time.perf_counter()
    for path in sys.argv[5:]:
        image = Image.open(path).convert("RGB")
        for _ in range(rounds):
            image = look(model, image, side)
    print((time.perf_counter() - started) / len(sys.argv[5:]))


def build(network: str, side: int, classes: int):
    """VGG16 with the document's flattened head, or MobileNetV2 with a pooled one."""
    shape = (side, side, 3)
    if network == "vgg16":
        base = applications.VGG16(weights=None, include_top=False, input_shape=shape)
        head = [layers.Flatten(), layers.Dense(256, activation="relu"), layers.Dropout(0.3)]
    else:
        base = applications.MobileNetV2(
            weights=None, include_top=False, input_shape=shape, pooling="avg"
        )
        head = []
    return models.Sequential([base, *head, layers.Dense(classes, activation="softmax")])


def predict(model, image: Image.Image, side: int) -> tuple[int, float]:
    """The document's ``model_predict``."""
    pixels = np.asarray(image.resize((side, side))) / 255.0
    found = model.predict(np.expand_dims(pixels, axis=0), verbose=0)
    return int(np.argmax(found)), float(np.max(found))


def look(model, image: Image.Image, side: int) -> Image.Image:
    """One round: the picture, the 70 crops, and what is kept.

    A crop that has become too small to be cut again is scored in full size instead, so that every
    picture costs what the document's do.
    """
    predict(model, image, side)
    square = image.resize((max(image.size),) * 2)
    crops = [crop for one in (image, square) for crop in cut(one)]
    scores = [predict(model, crop, side)[1] for crop in crops]
    best = crops[int(np.argmax(scores))]
    return best if min(best.size) >= 2 * GRID else image


def cut(image: Image.Image) -> list[Image.Image]:
    """The document's ``calc_sliding``."""
    w, h = image.width // GRID, image.height // GRID
    places = range(GRID - KERNEL + 1)
    boxes = [(w * j, h * i, w * (j + KERNEL), h * (i + KERNEL)) for i in places for j in places]
    boxes += [(w * i, 0, w * (i + KERNEL), h * GRID) for i in places]
    boxes += [(0, h * i, w * GRID, h * (i + KERNEL)) for i in places]
    return [image.crop(box) for box in boxes]


if __name__ == "__main__":
    main()
