"""The flags of Kafka's tools, in all their generations.

As in Kafka: one dash or two, `--flag value` or `--flag=value`, any unambiguous beginning of a long name,
what is wrong in one line and the usage on stderr, exit code 1. KIP-1147 renamed flags; the old and the
new name are one flag here. What Kafka removed is understood with a note that shows today's spelling; a
word that belongs to no flag is passed over, as Kafka does, with a note.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NoReturn, final

from ottla.version import __version__

FAILED: Final = 1
_SAID_TO_BE: Final = "4.3.1"
"""The release of Kafka whose tools these behave like."""
_COLUMNS: Final = 80
_COLUMNS_MIN: Final = 40
_REQUIRED: Final = "the following arguments are required: "


class Refused(Exception):
    """What was said makes no sense together: told with the usage, exit code 1."""


@final
class _Formatter(argparse.HelpFormatter):
    """As wide as the terminal. argparse makes one for every flag, and would ask `shutil`, whose import
    takes longer than all flags together."""

    def __init__(self, prog: str) -> None:
        try:
            columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
        except (ValueError, OSError):
            columns = _COLUMNS
        super().__init__(prog, width=max(columns, _COLUMNS_MIN) - 2)


@final
class Usage(argparse.ArgumentParser):
    """argparse, refusing in the manner of Kafka's tools, with the nearest flag there is."""

    def error(self, message: str) -> NoReturn:
        if message.startswith(_REQUIRED):
            name = message.removeprefix(_REQUIRED).partition(",")[0].partition("/")[0]
            message = f'Missing required argument "[{name.lstrip("-")}]"'
        print(message, file=sys.stderr)
        self.print_help(sys.stderr)
        sys.exit(FAILED)

    def unknown(self, word: str) -> NoReturn:
        """Refuse a flag that is not there."""
        name = word.partition("=")[0]
        known = [flag for action in self._actions for flag in action.option_strings]
        import difflib

        near = difflib.get_close_matches(name, known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        self.error(f"{name.lstrip('-')} is not a recognized option{hint}")


@final
class Flags:
    """One tool's flags. `name`: without `kafka-`."""

    def __init__(self, name: str, purpose: str) -> None:
        self._usage = Usage(
            prog=f"kafka-{name}",
            description=purpose,
            allow_abbrev=True,
            add_help=False,
            formatter_class=_Formatter,
        )
        self._purpose = purpose
        self._has_words = False
        self._may_be_bare = False
        self._removed: dict[str, tuple[str, Callable[[str], str] | None]] = {}
        self._usage.add_argument("--help", action="help", help="print this")
        self._usage.add_argument(
            "--version",
            action="version",
            version=f"{_SAID_TO_BE} (ottla {__version__})",
            help="print the version",
        )

    def value(
        self,
        *names: str,
        default: str | None = None,
        kind: Callable[[str], object] = str,
        required: bool = False,
        repeated: bool = False,
        help: str,
    ) -> None:
        """A flag with a value; `names`: today's first, those it had before after it."""
        if repeated:
            self._usage.add_argument(
                *names, action="append", default=[], type=kind, metavar="VALUE", help=help
            )
        else:
            self._usage.add_argument(
                *names, default=default, type=kind, required=required, metavar="VALUE", help=help
            )

    def switch(self, *names: str, help: str) -> None:
        """A flag that is there or not."""
        self._usage.add_argument(*names, action="store_true", help=help)

    def optional_value(self, *names: str, bare: str, help: str) -> None:
        """A flag that may have a value: `bare` if it is there without one, else None."""
        self._usage.add_argument(*names, nargs="?", const=bare, metavar="VALUE", help=help)

    def in_order(
        self,
        action: type[argparse.Action],
        name: str,
        values: Mapping[str, str],
        switches: Mapping[str, str],
    ) -> None:
        """Flags with a value and without one that go to one list `name`, by an action of the tool's.

        `values`, `switches`: flags and their help.
        """
        for flag, help in values.items():
            self._usage.add_argument(flag, action=action, dest=name, metavar="VALUE", help=help)
        for flag, help in switches.items():
            self._usage.add_argument(flag, action=action, dest=name, nargs=0, help=help)

    def words(self, name: str, help: str) -> None:
        """What is said without a flag, as a list; before, between and after flags."""
        self._has_words = True
        self._usage.add_argument(name, nargs="*", help=help)

    def bootstrap(self, *more: str, required: bool = True) -> None:
        """--bootstrap-server and the names it had."""
        self.value(
            "--bootstrap-server",
            *more,
            required=required,
            help="host:port of one broker or more, with commas between",
        )

    def command_config(self, *more: str) -> None:
        """--command-config and the names it had."""
        self.value(
            "--command-config",
            *more,
            help="a properties file for the connection: security.protocol, ssl.*, sasl.*, ...",
        )

    def may_be_bare(self) -> None:
        """The tool does something without any flag."""
        self._may_be_bare = True

    def removed(self, name: str, today: str, of: Callable[[str], str] | None = None) -> None:
        """A flag Kafka has removed: read as `today`, with the value that `of` makes of its own."""
        self._removed[name] = (today, of)

    def zookeeper(self) -> None:
        """--zookeeper, which Kafka 4 has no more: a broker is looked for where most have one."""
        self.removed("--zookeeper", "--bootstrap-server", lambda _: "localhost:9092")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """What was said. Exits with 1 and the reason for what makes no sense."""
        if not words and not self._may_be_bare:
            self.refuse(self._purpose[:1].upper() + self._purpose[1:] + ".")
        modern = self._modern(words)
        if self._has_words:  # with argparse's other way, words after a flag would be lost
            args, others = self._usage.parse_known_intermixed_args(modern)
        else:
            args, others = self._usage.parse_known_args(modern)
        for word in others:
            if word.startswith("-") and word != "-":
                self._usage.unknown(word)
            print(f"{word!r} belongs to no flag, and is passed over", file=sys.stderr)
        return args

    def refuse(self, message: str) -> NoReturn:
        """Flags that do not go together."""
        self._usage.error(message)

    def _modern(self, words: Sequence[str]) -> list[str]:
        modern: list[str] = []
        rest = iter(words)
        for word in rest:
            name, equals, text = word.partition("=")
            if name[:1] == "-" and name[1:2].isalpha() and len(name) > 2:
                name = f"-{name}"  # as Kafka's parser, which takes one dash for two
                word = f"{name}{equals}{text}"
            if name not in self._removed:
                modern.append(word)
                continue
            today, of = self._removed[name]
            value = text if equals else next(rest, "")
            made = value if of is None else of(value)
            print(f"{name} is no more; read as {today} {made}", file=sys.stderr)
            modern += [today, made]
        return modern


def is_said(args: argparse.Namespace, name: str) -> bool:
    """Whether a flag is there. One with a default is always."""
    said = getattr(args, name.replace("-", "_"))
    return said is not None and said is not False and said != []


def the_action(args: argparse.Namespace, names: Sequence[str]) -> str:
    """Which of these switches is there. Raises Refused unless it is one of them."""
    said = [name for name in names if is_said(args, name)]
    if len(said) != 1:
        raise Refused(
            "Command must include exactly one action: " + ", ".join(f"--{name}" for name in names)
        )
    return said[0]


def refuse_together(args: argparse.Namespace, used: str, others: Iterable[str]) -> None:
    """Raises Refused if `used` is there and one of the others too."""
    if is_said(args, used):
        for other in others:
            if other != used and is_said(args, other):
                raise Refused(f'Option "[{used}]" can\'t be used with option "[{other}]"')


def require(args: argparse.Namespace, *names: str) -> None:
    """Raises Refused for the first that is not there."""
    for name in names:
        if not is_said(args, name):
            raise Refused(f'Missing required argument "[{name}]"')


def number(text: str) -> int:
    """A whole number, as a kind of value."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"Cannot parse argument '{text}'") from None
