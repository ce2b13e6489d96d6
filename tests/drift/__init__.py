"""Numbers of small runs as they were when last agreed on: whatever moves them is seen, and needs a reason.

``python -m tests.drift "the reason, as CHANGELOG.md has it"`` measures them anew and writes ``numbers.json``.
"""
