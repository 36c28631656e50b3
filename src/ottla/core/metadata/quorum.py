"""`quorum-state`: the small file in which a voter of the metadata quorum remembers its epoch.

Apache Kafka reads it before it starts, so that no epoch is ever led by two. On one node there is one
voter, and it always wins: what counts is that the epoch in the file never lags behind the log.

Source: KIP-595, KIP-853 (version 1: the voters moved into the log). The file is one line of JSON.
"""

import json
from typing import Final, NamedTuple, final

from ottla.errors import RemoteProtocolError
from ottla.types import ZERO_UUID, uuid_to_text

FILE_NAME: Final = "quorum-state"

_VERSIONS: Final = (0, 1)


@final
class QuorumState(NamedTuple):
    """Who led last. `data_version` 1 goes with kraft.version 1, 0 with voters from the settings."""

    leader_id: int
    leader_epoch: int
    data_version: int = 0

    def text(self) -> bytes:
        state: dict[str, object]
        if self.data_version == 0:
            state = {
                "clusterId": "",
                "leaderId": self.leader_id,
                "leaderEpoch": self.leader_epoch,
                "votedId": -1,
                "appliedOffset": 0,
                "currentVoters": [{"voterId": self.leader_id}],
                "data_version": 0,
            }
        else:
            state = {
                "leaderId": self.leader_id,
                "leaderEpoch": self.leader_epoch,
                "votedId": -1,
                "votedDirectoryId": uuid_to_text(ZERO_UUID),
                "data_version": 1,
            }
        return json.dumps(state, separators=(",", ":")).encode()


def quorum_state_untrusted(data: bytes) -> QuorumState | None:
    """What the file says; None: it is no JSON, which is what a power cut leaves of it.

    RemoteProtocolError, naming what is wrong, when it says something else than is known here.
    """
    try:
        state = json.loads(data)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    if not isinstance(state, dict):
        raise RemoteProtocolError(f"{FILE_NAME} holds {type(state).__name__}, not an object")
    version = _number(state, "data_version")
    if version not in _VERSIONS:
        raise RemoteProtocolError(f"{FILE_NAME} has data_version {version}; known are 0 and 1")
    return QuorumState(
        leader_id=_number(state, "leaderId"),
        leader_epoch=_number(state, "leaderEpoch"),
        data_version=version,
    )


def _number(state: dict[str, object], name: str) -> int:
    value = state.get(name)
    if not isinstance(value, int):
        raise RemoteProtocolError(f"{FILE_NAME} has {name} {value!r}; a number is expected")
    return value
