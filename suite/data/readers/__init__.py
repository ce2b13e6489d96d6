"""Readers: one module a published format, each with ``read(card, folder, dials, task) -> TaskData``."""
