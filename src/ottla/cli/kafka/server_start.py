"""kafka-server-start: `ottla serve`, with the words that start a broker of Kafka's."""

import argparse
import subprocess
import sys

from ottla.cli.kafka.flags import Flags


def add_flags(flags: Flags) -> None:
    flags.words("file", help="server.properties")
    flags.value("--override", repeated=True, help="key=value; may be repeated")
    flags.switch("--daemon", help="go on in the background")


def run(args: argparse.Namespace) -> int:
    words = ["serve", *args.file]
    for text in args.override:
        words += ["--override", text]
    if args.daemon:
        # A session of its own, so that it outlives the terminal.
        subprocess.Popen(
            [sys.executable, "-m", "ottla.cli.main", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return 0
    from ottla.cli import serve

    parser = argparse.ArgumentParser(prog="ottla serve")
    serve.add_arguments(parser)
    return serve.run(parser.parse_args(words[1:]))
