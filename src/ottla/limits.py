"""Every bound in the system that no operator sets, each with its reason.

What an operator may set stands in `settings`; here are the bounds that keep a peer from making this
process allocate, loop or wait without end. Numbers named after Kafka's own are Kafka's.
"""

from typing import Final

INT_MAX: Final = 2**31 - 1
LONG_MAX: Final = 2**63 - 1
"""Kafka's "never" and "unlimited"."""

# ---- what a peer may send

FRAME_BYTES_MAX: Final = 100 * 1024 * 1024
"""One request. Kafka's default for socket.request.max.bytes; a settings file may lower it."""

UNAUTHENTICATED_FRAME_BYTES_MAX: Final = 64 * 1024
"""One request before authentication: ApiVersions and SASL are far smaller (CVE-2022-34917)."""

RESPONSE_FRAME_BYTES_MAX: Final = 256 * 1024 * 1024
"""One response, as a client reads it: above any fetch.max.bytes in use."""

ARRAY_ELEMENTS_MAX: Final = 1_000_000
"""One array in a message, as in Kafka; besides, the bytes for the elements must be there."""

TAGGED_FIELDS_MAX: Final = 10_000
"""One tag section, as in Kafka; unknown tags are skipped one by one."""

NESTING_DEPTH_MAX: Final = 8
"""Structs within structs. No message of the protocol goes deeper than six."""

CLIENT_ID_BYTES_MAX: Final = 32 * 1024 - 1
"""A header's client id: the largest 16-bit length, so that a header has a bounded size."""

VARINT_BYTES_MAX: Final = 5
VARLONG_BYTES_MAX: Final = 10
"""A longer encoding is not a 32-bit or 64-bit number."""

QUOTED_CHARACTERS_MAX: Final = 300
"""Of a caller's own text, in an error message: a topic's name is never longer. Whole, it could fill an
answer's string (32,767 bytes), and a message about many of them could outgrow the request."""
STRING_BYTES_MAX: Final = 2**15 - 1
"""One string of the protocol: its length is a number of 16 bits, or bounded alike."""

MESSAGE_CHARACTERS_MAX: Final = 2_000
"""One error message: what a caller said is repeated in it, and it must fit an answer's string."""

MESSAGES_PER_ANSWER_MAX: Final = 1_000
"""Error messages for single partitions in one answer; the others have their error code alone. A
partition is named in four bytes, and told in hundreds."""
REASON_LENGTH_MAX: Final = 255
"""Characters of a member's reason that are looked at; Kafka's clients send no more (KIP-800)."""

# ---- connections

IN_FLIGHT_PER_CONNECTION_MAX: Final = 1_000
"""Requests of one connection without an answer; then its reading pauses. Clients use 5; answers are
kept in order, so one slow request holds back all that come after it."""

CALLS_PER_TURN_MAX: Final = 32
"""Requests of one connection before the others get their turn: ten thousand fit one read."""

AUTHENTICATION_TIMEOUT_MS: Final = 10_000
"""TLS handshake and authentication together: a peer that is silent gives its place back."""

WRITE_BUFFER_BYTES_MAX: Final = 2 * 55 * 1024 * 1024
"""Unsent answers of one connection: twice the largest fetch answer. Then its reading pauses."""

UNSENT_BYTES_MAX: Final = 256 * 1024
"""Unsent bytes of one connection in the kernel, which are not part of any number above."""

FETCH_ANSWERS_BYTES_MAX: Final = 256 * 1024 * 1024
"""Unsent answers of all connections: a thousand stalled consumers must not fill the memory."""

TESTED_BYTES_MAX: Final = 1024 * 1024 + 4 * 1024
"""Read at once to be tested, and kept from then until it is sent, by all answers together: what a consumer
asks of a partition if nobody told it otherwise, or one batch that is as large as a batch may be then."""

ACCEPTS_PER_TURN_MAX: Final = 20
"""New connections in one turn of the loop: a storm must not starve those that are served."""

# ---- record batches

DECOMPRESSION_FACTOR_MAX: Final = 10
"""A decompressed batch, as a multiple of max.message.bytes: no bomb may fill the memory."""

DECOMPRESSION_RATIO_MAX: Final = 1_000
"""Decompressed to compressed bytes, above max.message.bytes. Real data stays below a few hundred."""

DECOMPRESSED_BYTES_MAX: Final = FRAME_BYTES_MAX
"""One batch, whatever a topic's max.message.bytes is: what could have been sent as it is."""

MESSAGES_PER_SET_MAX: Final = 100_000
"""Messages that one Produce 0-2 may bring for a partition. They are made records one by one: so many
take a third of a second, and compressed they fit a few kilobytes. Clients of that age collect 16 KiB."""

CONVERTED_BYTES_MAX: Final = 2 * 1024 * 1024
"""Converted for one answer to a client before Kafka 0.11, batches and messages together; the batch
that passes it is still converted. It takes some ten milliseconds, in which nobody else is served."""

HEADERS_PER_RECORD_MAX: Final = 100_000
"""One record's headers; besides, the bytes for them must be there."""

# ---- what one broker holds

TOPIC_NAME_LENGTH_MAX: Final = 249
"""As in Kafka: with `-<partition>.<uuid>-delete` it must fit a file name of 255 bytes."""

PARTITIONS_PER_REQUEST_MAX: Final = 10_000
"""Metadata records that one CreateTopics or CreatePartitions writes, as in Kafka's controller: one per
partition, one per topic, one per setting."""

CONFIG_BYTES_PER_REQUEST_MAX: Final = 8 * 1024 * 1024
"""Their names and values together, as in Kafka's largest batch of metadata."""

CONFIG_RECORDS_PER_REQUEST_MAX: Final = 10_000
"""Settings that one AlterConfigs changes, as in Kafka's controller: they are one entry of its log."""

PARTITIONS_PER_BROKER_MAX: Final = 100_000
"""Each costs a directory, three files and some kilobytes of memory."""

CONFIG_ROWS_PER_ANSWER_MAX: Final = 100_000
"""Settings that one answer describes: some three thousand topics. A resource is asked for in ten
bytes and told in thirty kilobytes, so a small request could fill the memory."""

FETCH_SESSION_PARTITIONS_MAX: Final = 100_000
"""Partitions that one fetch session remembers."""

QUOTA_METERS_MAX: Final = 10_000
"""Clients whose use of one quota is remembered; the longest unseen is forgotten. A client may call
itself something else each time."""

HELD_CONNECTIONS_MAX: Final = 100
"""Connections that came too fast and are held, before they are closed, so that their peer slows
down (KIP-612); more of them are closed at once."""

OPEN_FILES_MAX: Final = 4_096
"""File handles of segments kept open; more are opened again when used."""

# ---- files read at the start

SETTINGS_FILE_BYTES_MAX: Final = 1024 * 1024
"""A server.properties; the largest seen are some tens of kilobytes."""

SECRET_FILE_BYTES_MAX: Final = 64 * 1024
"""A value given as a file (`..._FILE`)."""


def shortened(text: str) -> str:
    """What a caller said, as far as an error message may repeat it."""
    return text if len(text) <= QUOTED_CHARACTERS_MAX else text[:QUOTED_CHARACTERS_MAX] + "..."


def quoted(text: str) -> str:
    """What a caller said, as an error message may repeat it: `'evil\\n'`, `'aaaaaaaa'...`."""
    if len(text) <= QUOTED_CHARACTERS_MAX:
        return repr(text)
    return f"{text[:QUOTED_CHARACTERS_MAX]!r}..."


def bounded(message: str) -> str:
    """An error message, cut where a caller's own text would let it outgrow the answer."""
    if len(message) <= MESSAGE_CHARACTERS_MAX:
        return message
    return message[:MESSAGE_CHARACTERS_MAX] + "..."
