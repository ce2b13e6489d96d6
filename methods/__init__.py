"""The algorithms: one folder a task, one file a method, pure PyTorch."""
