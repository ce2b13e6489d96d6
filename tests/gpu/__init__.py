"""What a CUDA device can tell of the suite (``python -m tests.gpu``), and what can be told without one."""
