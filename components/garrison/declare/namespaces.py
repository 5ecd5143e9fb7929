"""Namespaces, and whatever services and databases can be declared in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from garrison.declare.statements import Pen, Statement
from garrison.words import Ref


@dataclass(frozen=True)
class NamespaceStatement(Statement):
    row = "namespaces"
    name: str

    def value(self) -> str:
        return self.name


class Home(ABC):
    """A place of services and databases: a namespace, or an App of one namespace."""

    @abstractmethod
    def place(self, name: str) -> tuple[Ref, Pen]:
        """What something of that name is called here, and who takes statements about it."""
