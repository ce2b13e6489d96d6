"""The library: what ``import suite`` offers. The command line asks for the same runs, records and errors."""
