"""Actor detection: people in clips, for each of whom the scores of all classes are predicted."""
