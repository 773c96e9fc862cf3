"""What is in these pictures? A trained model on pictures that nobody has labelled."""

from garim.prediction.instances import ObjectsPrediction
from garim.prediction.predict import predict
from garim.prediction.predictions import LabelPrediction, Predictions
from garim.prediction.segmentation import MaskPrediction
from garim.prediction.settings import PredictSettings

__all__ = [
    "LabelPrediction",
    "MaskPrediction",
    "ObjectsPrediction",
    "PredictSettings",
    "Predictions",
    "predict",
]
