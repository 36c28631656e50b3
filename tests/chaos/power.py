"""Power cuts with `ottla.flush=ack`: what the disk image holds at one moment is all that is left.

The data lies on an ext4 file system in an image file. The broker is stopped in its tracks, the image
is copied as it stands (the kernel has written to it what was synced, and whatever else it liked),
the broker is killed, and the next one starts on the copy, with another boot id, as after a reboot.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from node import Node, Outcome, loaded, say, stop_and_verify

ROUNDS = 20
IMAGE_BYTES = 256 * 1024 * 1024
NEEDS = ("mkfs.ext4", "mount", "umount", "losetup")


def run(work: Path, chance: random.Random, rounds: int) -> Outcome:
    outcome = Outcome("power cut")
    mounted = work / "disk"
    mounted.mkdir()
    image = work / "image-0"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    _call("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", str(image))
    _mount(image, mounted)
    node = Node(mounted / "data", work, {"ottla.flush": "ack", "log.segment.bytes": "1048576"})
    backs: list[float] = []
    try:
        with loaded(node, work, 300) as load:
            for number in range(1, rounds + 1):
                time.sleep(chance.uniform(0.3, 1.5))
                copy = work / f"image-{number}"
                node.send(signal.SIGSTOP)
                _call("cp", "--sparse=always", str(image), str(copy))
                node.kill()
                _call("umount", str(mounted))
                image.unlink()
                image = copy
                _mount(image, mounted)
                (node.data / ".ottla_boot").write_text("another boot\n")
                backs.append(node.start())
                outcome.faults += 1
                load.judge(outcome, f"cut {number}")
                if load.wait_for_progress(60) is None:
                    outcome.problems.append(f"cut {number}: no progress within 60 s")
                    break
                if number % 5 == 0:
                    say(f"  cut {number}: {outcome.acknowledged} acknowledged, {outcome.lost} lost")
            load.finish(outcome)
            outcome.scan_log(node)
            stop_and_verify(node, outcome)
            cuts = node.said_ever().count("the log is cut")
        outcome.figures.append(f"back in {max(backs):.2f} s at most, {cuts} logs cut")
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=False, capture_output=True)
    return outcome


def missing() -> str:
    """Why it can't run here."""
    if os.geteuid() != 0:
        return "needs root, to mount"
    absent = [name for name in NEEDS if shutil.which(name) is None]
    return f"needs {', '.join(absent)}" if absent else ""


def _mount(image: Path, at: Path) -> None:
    _call("mount", "-o", "loop", str(image), str(at))


def _call(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
