"""The documentation: pages, and in ``generate`` what makes pages of declarations."""
