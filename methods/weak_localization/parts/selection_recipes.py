"""Settings of ASL and of top-k pooling alike: the released code's, and what the text of the paper says instead."""

from __future__ import annotations

from suite.method import Value

# layer6ai-labs/ASL@eaffb20: scripts/train.sh, config_thumos.py, main_thumos.py, inference_thumos.py. The released code
# scores the test videos every 50 steps; with 200 videos an epoch has 13 steps, so that is about every fourth epoch.
PUBLISHED: dict[str, Value] = {
    "lr": 1e-4,
    "weight_decay": 5e-4,
    "batch": 16,
    "epochs": 100,
    "evaluate_every": 4,
    "positions": 750,
    "hidden": 512,
    "divisor": 8,
    "sampling": "index",
    "class_score": "softmax",
    "class_threshold": 0.25,
    "threshold_low": 0.1,
    "threshold_high": 0.9,
    "thresholds": 9,
    "strict": False,
    "outer": 0.2,
    "class_weight": 0.2,
    "scale": 24,
    "nms": "decay",
    "nms_threshold": 0.4,
    "nms_sigma": 0.35,
    "nms_plus": 1.0,
}
LITERAL: dict[str, Value] = {
    "weight_decay": 1e-4,
    "class_score": "cas",
    "sampling": "interpolation",
    "threshold_low": 0.0,
    "thresholds": 10,
    "strict": True,
    "nms": "hard",
    "nms_plus": 0.0,
    "outer": 0.25,
}
