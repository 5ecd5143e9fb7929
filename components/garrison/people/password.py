"""`garrison password`: a verb of its own, because a person looks for it by that name."""

from garrison.people.token import change as main
from garrison.people.token import password_parser as parser

__all__ = ["main", "parser"]
