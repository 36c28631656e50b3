"""Names are imported when they are used, and not before."""

import subprocess
import sys

import pytest

import ottla
import ottla.kafka

MODULES = """
import sys
import ottla.kafka
from ottla.kafka import errors, structs, TopicPartition
print([name for name in ("asyncio", "ssl", "ottla.aio.client", "uvloop") if name in sys.modules])
"""


def test_the_root_has_the_names_of_the_drop_in_client() -> None:
    assert ottla.KafkaProducer is ottla.kafka.KafkaProducer
    assert ottla.NewTopic is ottla.kafka.NewTopic
    for module in (ottla, ottla.kafka):
        for name in module.__all__:
            assert getattr(module, name) is not None
        with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
            module.Nothing  # noqa: B018
    assert "KafkaConsumer" in dir(ottla.kafka)
    assert ottla.kafka.errors.KafkaError is not None


def test_the_package_alone_imports_no_event_loop() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
