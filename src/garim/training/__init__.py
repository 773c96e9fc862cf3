"""How a model is made: one loop, settings, augmentation."""

from garim.training.detect_settings import DetectTrainSettings
from garim.training.detection import TrainedDetector, train_detector
from garim.training.embedders import TrainedEmbedder, train_embedder
from garim.training.instance_segmentation import (
    InstanceTrainSettings,
    TrainedInstances,
    train_instances,
)
from garim.training.presets import PRESETS
from garim.training.segment_settings import SegmentTrainSettings
from garim.training.segmentation import TrainedSegmenter, train_segmenter
from garim.training.settings import Recipe, TrainSettings
from garim.training.train import Trained, train
from garim.training.upscaling import TrainedUpscaler, UpscaleTrainSettings, train_upscaler

__all__ = [
    "PRESETS",
    "DetectTrainSettings",
    "InstanceTrainSettings",
    "Recipe",
    "SegmentTrainSettings",
    "TrainSettings",
    "Trained",
    "TrainedDetector",
    "TrainedEmbedder",
    "TrainedInstances",
    "TrainedSegmenter",
    "TrainedUpscaler",
    "UpscaleTrainSettings",
    "train",
    "train_detector",
    "train_embedder",
    "train_instances",
    "train_segmenter",
    "train_upscaler",
]
