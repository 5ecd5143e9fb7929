"""Completion for bash, zsh and fish, made of the parsers, so that it knows exactly what they know.

One table serves all three: the words so far ("ci lint") -> what may follow. Where nothing is known, files are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

Words = Mapping[str, tuple[str, ...]]


def words(parser: argparse.ArgumentParser, verbs: Mapping[str, argparse.ArgumentParser]) -> Words:
    """What may follow each command, and each option that takes one of a few values (as "COMMAND --option")."""
    found: dict[str, tuple[str, ...]] = {}
    _collect(parser, "", found)
    for verb, its in verbs.items():
        _collect(its, verb, found)
    return found


def _collect(parser: argparse.ArgumentParser, path: str, found: dict[str, tuple[str, ...]]) -> None:
    following: list[str] = []
    for action in parser._actions:  # noqa: SLF001  # argparse has no other way to ask
        following += action.option_strings
        choices = tuple(map(str, action.choices or ()))
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            following += choices
            for name, sub in action.choices.items():
                _collect(sub, f"{path} {name}".strip(), found)
        elif not action.option_strings:
            following += choices
        else:
            found.update({f"{path} {option}".strip(): choices for option in action.option_strings if choices})
    found[path] = tuple(dict.fromkeys(following))


def _cases(table: Words, line: str) -> str:
    return "\n".join(line.format(key=key, words=" ".join(values)) for key, values in table.items())


def bash(table: Words) -> str:
    """A function that looks its words up by the command so far, and by the option just before."""
    return f"""_garrison() {{
    local at= word current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} found=
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        if _garrison_words "${{at:+$at }}$word" && [[ $word != -* ]]; then at="${{at:+$at }}$word"; fi
    done
    _garrison_words "${{at:+$at }}$previous" && [[ $previous == -* ]] || _garrison_words "$at"
    COMPREPLY=($(compgen -W "$found" -- "$current"))
}}
_garrison_words() {{
    case "$1" in
{_cases(table, '    "{key}") found="{words}" ;;')}
    *) return 1 ;;
    esac
}}
complete -o default -F _garrison garrison
"""


def zsh(table: Words) -> str:
    """Zsh understands bash's completions."""
    return f"autoload -Uz compinit bashcompinit\ncompinit\nbashcompinit\n{bash(table)}"


def fish(table: Words) -> str:
    """One line a command: fish tests the words before the cursor."""
    lines = ["complete -c garrison -f -n __fish_use_subcommand -a '" + " ".join(table[""]) + "'"]
    for key, values in table.items():
        names = [word for word in key.split() if not word.startswith("-")]
        seen = "; and ".join(f"__fish_seen_subcommand_from {name}" for name in names)
        option = key.split()[-1] if key.split()[-1:] and key.split()[-1].startswith("--") else ""
        if option and names:
            lines.append(f"complete -c garrison -n '{seen}' -l {option[2:]} -x -a '{' '.join(values)}'")
        elif names and values:
            lines.append(f"complete -c garrison -n '{seen}' -a '{' '.join(values)}'")
    return "\n".join(lines) + "\n"


SHELLS: dict[str, Callable[[Words], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
