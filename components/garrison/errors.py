"""What Garrison refuses, said once and in full: every problem with where it is and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong: `where` in the program (file:line) or in the settings, `what`, and `remedy`."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


class GarrisonError(Exception):
    """Something cannot be done as it was asked for. The command line catches it once, and ends with code 2.

        GarrisonError
        ├── IntentError          the declaration does not hold together
        ├── ProgramError         the file that declares cannot be used
        ├── ChoiceError          what was to be shown is not in the graph
        ├── LayoutError          a picture cannot be laid out
        ├── SettingsError        the stack's settings do not hold together
        ├── VerifiedError        the list of verified images cannot be used
        ├── KubectlError         kubectl is missing (ToolMissingError), or said no
        ├── ChartError           a chart of the platform cannot be rendered
        ├── StandingError        a cluster lacks what it is said to have
        ├── ArgumentsError       what the Pulumi package was given cannot be used
        ├── SubjectError         nobody is named to whom a role could be given
        ├── RightsError          who deploys may not do what would have to be done
        ├── FolderError          the folder for files to deploy cannot be written
        ├── StoreFileError       the file of a store's objects cannot be used
        ├── StoreError           the secret store cannot be reached, or refused
        ├── PeopleError          the people of the estate cannot be kept from here
        ├── DoorError            an issuer cannot be reached, or refused
        ├── ProveError           the proof cannot be carried out; LostError: no longer alone; NotHadError: no such token
        ├── CheckError           the check cannot be done, or not in whole
        ├── ImportingError       manifests cannot be imported, or not in whole
        ├── ExceptionsError      the exceptions cannot be honoured as written
        ├── ScanError            the scan cannot be done; RefusedError: the tool itself said no
        ├── UnknownError         a source of versions does not answer
        └── PipelineError        a CI command cannot give its answer; UnreadableError: a file is no workflow

    problems: all that is wrong, one line each; a message alone is one problem.
    headline: what they are problems of, where there can be several.
    """

    def __init__(self, problems: str | Iterable[Problem | str], headline: str = "") -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        lines = [f"{'  ' if headline else ''}{problem}" for problem in self.problems]
        super().__init__("\n".join([headline, *lines] if headline else lines))


class IntentError(GarrisonError, ValueError):
    """The declaration does not hold together. `problems` has all of them, not only the first."""

    problems: tuple[Problem, ...]

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        super().__init__(problems, f"the declaration has {count}:")


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A remedy that names the nearest known word, or `otherwise`."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else otherwise
