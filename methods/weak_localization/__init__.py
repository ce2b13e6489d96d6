"""Temporal localization learned from video-level labels: Action Selection Learning and its rivals."""
