"""``python -m suite``: the command line, where no program called ``suite`` is on the path."""

from suite.cli import main

if __name__ == "__main__":
    main()
