"""Composition of methods: a part holds hyper-parameters that belong together, and what is done with them."""

from __future__ import annotations

from typing import ClassVar, Self

from suite.method import Hyper


class Part:
    """An attribute of a method that brings hyper-parameters of its own.

    After ``detector = AnchorFree()`` in the class of a method, the parameters of ``AnchorFree`` are parameters of that
    method: listed, set and swept like those that it declares itself (a declaration in the method's class wins).
    ``method.detector`` is the part with the values of that method at that moment; it keeps no state.
    """

    hypers: ClassVar[dict[str, Hyper]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declared = [vars(base) for base in reversed(cls.__mro__)]
        cls.hypers = {k: v for names in declared for k, v in names.items() if isinstance(v, Hyper)}

    def __get__(self, method: object | None, owner: type | None = None) -> Self:
        if method is None:
            return self
        filled = type(self)()
        for name in self.hypers:
            setattr(filled, name, getattr(method, name))
        return filled


def adopt(method: type) -> None:
    """Declare the hyper-parameters of the parts in the body of class ``method`` as its own."""
    for part in [value for value in vars(method).values() if isinstance(value, Part)]:
        for name, declared in part.hypers.items():
            if name not in vars(method):
                setattr(method, name, declared)
