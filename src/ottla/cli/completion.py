"""`ottla completion bash|zsh|fish`: a script that completes this command's words in a shell.

It is made from the parsers themselves, so that it knows what they know: commands, actions, options, and
the words an option takes where these are a fixed set. It asks no broker.

All three scripts find out in the same way where the user is: the words so far that are commands, as
`ottla topic list`, are the key to what may follow.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_FILES: Final = frozenset({"FILE", "DIR"})

_EPILOG: Final = """\
examples:
  source <(ottla completion bash)                                (in ~/.bashrc)
  source <(ottla completion zsh)                                  (in ~/.zshrc)
  ottla completion fish > ~/.config/fish/completions/ottla.fish
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What may follow some words. `words`: by what they are for. `takes`: options that want a value,
    and the values there are; None: the name of a file."""

    words: Mapping[str, str] = field(default_factory=dict)
    takes: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("shell", choices=SCRIPTS, metavar="|".join(SCRIPTS))


def run(args: argparse.Namespace) -> int:
    print("\n".join(SCRIPTS[args.shell](dict(places("ottla", args.tree())))))
    return 0


def places(at: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, Place]]:
    """By the words before them, as `ottla topic list`: all there are below `parser`."""
    words: dict[str, str] = {}
    takes: dict[str, tuple[str, ...] | None] = {}
    below: list[tuple[str, argparse.ArgumentParser]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, one in action.choices.items():
                words[name] = _plain(helps.get(name, ""))
                below.append((f"{at} {name}", one))
        elif action.option_strings:
            for option in action.option_strings:
                words[option] = _plain(action.help or "")
                if action.nargs != 0:
                    takes[option] = _values(action)
        elif action.choices is not None:
            words.update((str(choice), "") for choice in action.choices)
    yield at, Place(words=words, takes=takes)
    for name, one in below:
        yield from places(name, one)


def _values(action: argparse.Action) -> tuple[str, ...] | None:
    if action.choices is not None:
        return tuple(map(str, action.choices))
    return None if action.metavar in _FILES else ()


def _plain(text: str) -> str:
    """What every shell takes between single quotes, and none takes for more than text."""
    return " ".join(text.replace("'", "").replace("%%", "%").replace(":", ",").split())


def _bash(found: Mapping[str, Place]) -> Iterator[str]:
    yield "_ottla() {"
    yield "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at=ottla word"
    yield '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do'
    yield '        case "$at $word" in'
    yield f'            {_alternatives(found)}) at="$at $word" ;;'
    yield "        esac"
    yield "    done"
    yield "    COMPREPLY=()"
    yield '    case "$at $prev" in'
    for keys, values in _taking(found):
        if values is None:
            yield f'        {keys}) COMPREPLY=($(compgen -f -- "$cur")); return ;;'
        elif values:
            words = " ".join(values)
            yield f"        {keys}) COMPREPLY=($(compgen -W '{words}' -- \"$cur\")); return ;;"
        else:
            yield f"        {keys}) return ;;"
    yield "    esac"
    yield '    case "$at" in'
    for at, place in found.items():
        yield f"        '{at}') COMPREPLY=($(compgen -W '{' '.join(place.words)}' -- \"$cur\")) ;;"
    yield "    esac"
    yield "}"
    yield "complete -o default -F _ottla ottla"


def _zsh(found: Mapping[str, Place]) -> Iterator[str]:
    yield "#compdef ottla"
    yield "_ottla() {"
    yield "    local at=ottla word prev=$words[CURRENT-1]"
    yield "    local -a found"
    yield '    for word in "${(@)words[2,CURRENT-1]}"; do'
    yield '        case "$at $word" in'
    yield f'            ({_alternatives(found)}) at="$at $word" ;;'
    yield "        esac"
    yield "    done"
    yield '    case "$at $prev" in'
    for keys, values in _taking(found):
        if values is None:
            yield f"        ({keys}) _files; return ;;"
        elif values:
            yield f"        ({keys}) compadd -- {' '.join(values)}; return ;;"
        else:
            yield f"        ({keys}) return ;;"
    yield "    esac"
    yield '    case "$at" in'
    for at, place in found.items():
        said = " ".join(
            f"'{word}:{text}'" if text else f"'{word}'" for word, text in place.words.items()
        )
        yield f"        ('{at}') found=({said}) ;;"
    yield "    esac"
    yield "    _describe ottla found || _files"
    yield "}"
    yield "compdef _ottla ottla"


def _fish(found: Mapping[str, Place]) -> Iterator[str]:
    below = " ".join(f"'{at}'" for at in list(found)[1:])
    yield "function __ottla_is_at"
    yield f"    set -l known {below}"
    yield "    set -l at ottla"
    yield "    for word in (commandline -opc)"
    yield '        if contains -- "$at $word" $known'
    yield '            set at "$at $word"'
    yield "        end"
    yield "    end"
    yield '    test "$at" = "$argv[1]"'
    yield "end"
    for at, place in found.items():
        when = f"complete -c ottla -n '__ottla_is_at \"{at}\"'"
        for word, text in place.words.items():
            said = f" -d '{text}'" if text else ""
            if word.startswith("-"):
                kind = f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}"
                yield f"{when} {kind}{_fish_value(place, word)}{said}"
            else:
                yield f"{when} -f -a {word}{said}"


def _fish_value(place: Place, option: str) -> str:
    if option not in place.takes:
        return ""
    values = place.takes[option]
    return " -r -F" if values is None else f" -x -a '{' '.join(values)}'" if values else " -x"


def _alternatives(found: Mapping[str, Place]) -> str:
    """All words that lead to a place, for `case`."""
    return _one_of(list(found)[1:])


def _taking(found: Mapping[str, Place]) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Options that take the same values, for `case`, and these."""
    options: dict[tuple[str, ...] | None, list[str]] = {}
    for at, place in found.items():
        for option, values in place.takes.items():
            options.setdefault(values, []).append(f"{at} {option}")
    for values, keys in options.items():
        yield _one_of(keys), values


def _one_of(words: Iterable[str]) -> str:
    return "|".join(f"'{word}'" for word in words)


SCRIPTS: Final[Mapping[str, Callable[[Mapping[str, Place]], Iterator[str]]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
