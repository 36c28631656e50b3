"""Our own client: the program of kafka-python's driver, in which nothing but the imports is changed."""

from __future__ import annotations

import re
from pathlib import Path

PROGRAM = Path(__file__).with_name("drive_kafka_python.py")

text = re.sub(r"(?m)^(\s*)from kafka\b", r"\1from ottla.kafka", PROGRAM.read_text())
exec(compile(text, str(PROGRAM), "exec"))
