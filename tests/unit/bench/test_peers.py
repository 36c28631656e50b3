"""What the questions believe of brokers' files and frames is so."""

from pathlib import Path

import pytest
from compaction import clean_until
from peers.floor import batch_at
from wire import batch_of, produce_frame


@pytest.mark.parametrize("records", [1, 11, 1_000])
def test_the_least_broker_finds_a_batch_of_any_size(records: int) -> None:
    batch = batch_of([b"x" * 1_000] * records)
    request = memoryview(produce_frame("a-topic", 0, batch))[4:]
    name, at = batch_at(request)
    assert name == b"a-topic"
    assert request[at : at + len(batch)] == batch


def test_how_far_a_log_is_clean_is_what_the_checkpoint_says_of_that_topic(tmp_path: Path) -> None:
    checkpoint = tmp_path / "cleaner-offset-checkpoint"
    assert clean_until(checkpoint, "log") == -1
    checkpoint.write_text("0\n3\nlog-2 0 7\nlog 1 8\nlog 0 9\n")
    assert clean_until(checkpoint, "log") == 9
    assert clean_until(checkpoint, "another") == -1
