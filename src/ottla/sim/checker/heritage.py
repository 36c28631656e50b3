"""What an old Kafka has left is served as it is: every byte, in order, to its end.

The topic is the one that `sim/heritage.py` puts there; nobody writes to it, so there is one right
answer to each read. Whether the node got to see the directory is told by its first records: where
it was not there when the topic was made, the topic is an empty one.

Source: Kafka's message formats 0 and 1; ADR 13. Elsewhere: what was written here, `unchanged.py`.
"""

from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.verdict import Violation
from ottla.sim.heritage import END_OFFSET, ENTRIES, TOPIC
from ottla.sim.history import Outcome, Read

PROMISE: Final = "what was inherited is kept"


def check(ledger: Ledger) -> Iterator[Violation]:
    reads = [
        entry
        for entry in ledger.history.entries
        if isinstance(entry, Read) and entry.topic == TOPIC and entry.outcome is Outcome.OK
    ]
    for read in reads:
        text = _problem(read)
        if text:
            yield Violation(PROMISE, read.ended_us, f"{TOPIC}-0: {text}")


def _problem(read: Read) -> str:
    is_empty = read.high_watermark == read.log_start_offset  # it was disowned after a power cut
    if not read.left_out and not is_empty and read.high_watermark not in (0, END_OFFSET):
        return f"the high watermark is {read.high_watermark}"
    if not read.batches:
        if read.final and read.fetch_offset < read.high_watermark:
            return f"nothing is read at offset {read.fetch_offset}"
        return ""
    known = {data: at for at, data in enumerate(ENTRIES)}
    places = [known.get(batch.data) for batch in read.batches]
    if None in places:
        return f"a fetch of offset {read.fetch_offset} brought what was never there"
    first = places[0]
    assert first is not None
    if places != list(range(first, first + len(places))):
        return f"a fetch of offset {read.fetch_offset} brought entries {places}"
    return ""
