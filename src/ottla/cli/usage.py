"""argparse in the manner of this command: what is wrong in one line, with the nearest valid name.

`ottla topic list: error: there is no --jsno. Did you mean --json? See: ottla topic list --help`.
Whatever is wrong with a line is exit code 2.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Final, NoReturn, final

WRONG_USAGE: Final = 2
_REQUIRED: Final = "the following arguments are required: "


@final
class _Help(argparse.RawDescriptionHelpFormatter):
    """Examples keep their lines, and every name has its explanation beside it."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        # argparse forgets that what is listed below an action stands further to the right.
        for one in self._iter_indented_subactions(action):
            length = len(self._format_action_invocation(one)) + self._current_indent
            self._action_max_length = max(self._action_max_length, length)


@final
class Parser(argparse.ArgumentParser):
    """Its subparsers are of this class too, and each refuses for itself what it does not know."""

    def __init__(
        self,
        prog: str | None = None,
        *,
        usage: str | None = None,
        description: str | None = None,
        epilog: str | None = None,
    ) -> None:
        super().__init__(
            prog, usage=usage, description=description, epilog=epilog, formatter_class=_Help
        )

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        words = sys.argv[1:] if args is None else args
        if words and words[0].startswith("--") and not self._knows(words[0]):
            # Said before argparse says that what should follow is missing.
            self.error(self._unknown(words[0]))
        found, extras = super().parse_known_args(args, namespace)
        if extras:
            self.error(self._unknown(extras[0]))
        return found, extras

    def error(self, message: str) -> NoReturn:
        if message.startswith(_REQUIRED):
            message = f"{message.removeprefix(_REQUIRED)} is missing"
        end = "" if message.endswith((".", "?")) else "."
        print(f"{self.prog}: error: {message}{end} See: {self.prog} --help", file=sys.stderr)
        sys.exit(WRONG_USAGE)

    def _knows(self, word: str) -> bool:
        """It is an option, or the beginning of one, or the end of them."""
        name = word.partition("=")[0]
        return any(
            option.startswith(name) for action in self._actions for option in action.option_strings
        ) or word in ("--", "")

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word!r} is one word too many"
        name = word.partition("=")[0]
        known = [option for action in self._actions for option in action.option_strings]
        return f"there is no {name}.{_hint(name, known)}"

    def _check_value(self, action: argparse.Action, value: str) -> None:
        """What argparse calls for words of a fixed set."""
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            known_are = f"There {'are' if len(known) > 1 else 'is'} {listed(known)}"
            message = f"there is no {value!r}.{_hint(value, known) or f' {known_are}'}"
            raise argparse.ArgumentError(action, message)


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _hint(name: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""
