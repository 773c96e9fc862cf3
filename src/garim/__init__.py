"""Garim: folder labels in; clean crops, boxes and models out.

>>> import garim
>>> sorted(set(garim.__all__) & {"read", "train", "extract", "apply", "undo"})
['apply', 'extract', 'read', 'train', 'undo']

The verbs are those of the command line::

    data = garim.read("DATA")
    trained = garim.train(data, out="RUN")
    plan = garim.extract(data, trained.classifier, out="plan.jsonl").plan
    garim.apply(plan, to="CLEAN")
"""

import ctypes
import os
import platform

# Threads of several processes on the same cores otherwise spin while they wait for each other,
# which makes each many times slower. Read by OpenMP when torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# By default glibc fetches every large array from the system and gives it back, page by page; with
# freed memory kept for the next batch, networks run up to 2.5 times as fast on a CPU. The process
# holds on to the most that it has used at once. Who sets MALLOC_ variables decides for himself.
if platform.libc_ver()[0] == "glibc" and not any(n.startswith("MALLOC_") for n in os.environ):
    for _option, _value in (
        (-3, 2**31 - 1),  # M_MMAP_THRESHOLD
        (-1, 2**31 - 1),  # M_TRIM_THRESHOLD
        (-2, 2**26),  # M_TOP_PAD
    ):
        ctypes.CDLL(None).mallopt(_option, _value)

from garim.audit import Audit, AuditSettings, audit
from garim.augmentation import Augmented, AugmentSettings, augment
from garim.boxes import Box
from garim.collection import Collected, CollectSettings, collect
from garim.comparison import TrainingComparison, compare_training
from garim.dataset import Dataset, Selection, SplitSettings, read, split, write
from garim.doctor import doctor
from garim.enhancement import Upscaled, UpscaleSettings, enlarger, upscale
from garim.enhancement.upscale import ImageEnlarger
from garim.errors import (
    DatasetError,
    DiskError,
    ExecutionError,
    Failure,
    FormatError,
    GarimError,
    ModelError,
    PictureError,
    PlanError,
    SettingsError,
)
from garim.evaluation import (
    ClassificationReport,
    ComparisonReport,
    DetectionReport,
    InstanceReport,
    LocalizationReport,
    SegmentationReport,
    UpscalingReport,
    evaluate,
)
from garim.execution import ExecutionSettings
from garim.extraction import (
    Extracted,
    ExtractSettings,
    MadeMasks,
    MaskSettings,
    Swept,
    extract,
    make_masks,
    sweep,
)
from garim.foreground import Cutouts, CutoutSettings, ForegroundSettings, cutout
from garim.formats.rows import Object, Row
from garim.models.classifier import Classifier
from garim.models.detections import Detections
from garim.models.detector import Detector
from garim.models.embedder import Embedder
from garim.models.export import Exported, export
from garim.models.instance_segmenter import InstanceSegmenter
from garim.models.saved import load as load_model
from garim.models.segmenter import Segmenter
from garim.models.upscaler import Upscaler
from garim.models.yolo_onnx import YoloOnnx
from garim.plan import Applied, ApplySettings, Edit, Plan, apply, dataset_of, undo
from garim.plan import load as load_plan
from garim.plan.enlarging import Enlarger
from garim.prediction import Predictions, PredictSettings, predict
from garim.report import Reported, Sheet, contact_sheet, report
from garim.report.sheet import LabelledBox
from garim.similarity import (
    Answer,
    Comparison,
    EmbedSettings,
    Index,
    Indexed,
    IndexSettings,
    compare,
    index,
    query,
)
from garim.training import (
    DetectTrainSettings,
    InstanceTrainSettings,
    SegmentTrainSettings,
    Trained,
    TrainedDetector,
    TrainedEmbedder,
    TrainedInstances,
    TrainedSegmenter,
    TrainedUpscaler,
    TrainSettings,
    UpscaleTrainSettings,
    train,
    train_detector,
    train_embedder,
    train_instances,
    train_segmenter,
    train_upscaler,
)

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Applied",
    "ApplySettings",
    "Audit",
    "AuditSettings",
    "AugmentSettings",
    "Augmented",
    "Box",
    "ClassificationReport",
    "Classifier",
    "CollectSettings",
    "Collected",
    "Comparison",
    "ComparisonReport",
    "CutoutSettings",
    "Cutouts",
    "Dataset",
    "DatasetError",
    "DetectTrainSettings",
    "DetectionReport",
    "Detections",
    "Detector",
    "DiskError",
    "Edit",
    "EmbedSettings",
    "Embedder",
    "Enlarger",
    "ExecutionError",
    "ExecutionSettings",
    "Exported",
    "ExtractSettings",
    "Extracted",
    "Failure",
    "ForegroundSettings",
    "FormatError",
    "GarimError",
    "ImageEnlarger",
    "Index",
    "IndexSettings",
    "Indexed",
    "InstanceReport",
    "InstanceSegmenter",
    "InstanceTrainSettings",
    "LabelledBox",
    "LocalizationReport",
    "MadeMasks",
    "MaskSettings",
    "ModelError",
    "Object",
    "PictureError",
    "Plan",
    "PlanError",
    "PredictSettings",
    "Predictions",
    "Reported",
    "Row",
    "SegmentTrainSettings",
    "SegmentationReport",
    "Segmenter",
    "Selection",
    "SettingsError",
    "Sheet",
    "SplitSettings",
    "Swept",
    "TrainSettings",
    "Trained",
    "TrainedDetector",
    "TrainedEmbedder",
    "TrainedInstances",
    "TrainedSegmenter",
    "TrainedUpscaler",
    "TrainingComparison",
    "UpscaleSettings",
    "UpscaleTrainSettings",
    "Upscaled",
    "Upscaler",
    "UpscalingReport",
    "YoloOnnx",
    "apply",
    "audit",
    "augment",
    "collect",
    "compare",
    "compare_training",
    "contact_sheet",
    "cutout",
    "dataset_of",
    "doctor",
    "enlarger",
    "evaluate",
    "export",
    "extract",
    "index",
    "load_model",
    "load_plan",
    "make_masks",
    "predict",
    "query",
    "read",
    "report",
    "split",
    "sweep",
    "train",
    "train_detector",
    "train_embedder",
    "train_instances",
    "train_segmenter",
    "train_upscaler",
    "undo",
    "upscale",
    "write",
]
