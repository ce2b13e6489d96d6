"""What the suite survives: faults at every write, hostile files, heavy loads, drift of numbers."""
