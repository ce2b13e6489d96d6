"""Learning temporal localization from segments of a few videos: Noisy Pseudo-Label learning and its rivals."""
