"""Curves of trainings in other programs while they train: TensorBoard, Weights & Biases, MLflow, plain csv.

What is logged are the points that the ledger gets when the run ends, as they come.
"""
