"""The events that the verifiable tools print: JSON, one in a line, time and name first."""

import time

from ottla.cli.kafka.java_text import Json, java_json


def event(name: str, **members: Json) -> None:
    """Printed at once: whoever tests with it reads along."""
    told: dict[str, Json] = {"timestamp": time.time_ns() // 1_000_000, "name": name}
    print(java_json(told | members), flush=True)
