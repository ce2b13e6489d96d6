"""Training: one loop for all methods, with exact resume, alone or on many workers."""
