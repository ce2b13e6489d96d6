"""Trained models: kept with their runs, loaded without the data they learned from, predicting for new samples."""
