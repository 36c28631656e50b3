"""Everything a world is going to do, written down before it begins: settings, clients, asks, faults.

A plan is drawn from a seed (`draw.py`), read from a script (`script.py`) or cut down from another
plan (`shrink.py`). Asks and faults are independent: leaving one out moves no other. What is left to
chance while the world runs (latencies, what a power cut takes) comes from streams of the seed that
are named for what they decide.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, final

EPOCH_MS: Final = 1_700_000_000_000
"""The nodes' wall clock when a world begins."""


class Role(Enum):
    PRODUCER = "producer"
    CONSUMER = "consumer"
    ADMINISTRATOR = "administrator"
    MEMBER = "member"
    OWN_PRODUCER = "own-producer"  # the product's
    OWN_CONSUMER = "own-consumer"
    STRANGER = "stranger"  # sends what is no request


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPlan:
    """One client. What does not belong to its role is left at its default."""

    number: int
    role: Role
    acks: int = -1
    idempotent: bool = False
    in_flight_max: int = 1  # of one partition
    retries: bool = True
    by_name: bool = False  # Produce and Fetch in the last version that names topics
    session: bool = False  # incremental fetches (KIP-227)
    committed: bool = False  # reads with isolation.level=read_committed
    whims: bool = False  # ends its fetch sessions, or loses count of them, for no reason
    negotiates: bool = False  # asks for the broker's versions first
    lazy: bool = False  # its answers are read from the disk when they arrive, not when they leave
    codec: int = 0
    latency_us: int = 500
    timeout_ms: int = 3_000
    group: str = ""
    instance: str = ""  # of a static member (KIP-345)
    session_ms: int = 0
    rebalance_ms: int = 0
    linger_ms: int = 0
    batch_bytes: int = 0  # 0: as the product has it
    buffer_bytes: int = 0
    assignors: str = ""  # of an own consumer: "range+cooperative-sticky"
    commit_ms: int = 0  # it commits by itself every so often; 0: by hand
    by_record: bool = False  # it takes time for each record, and says of each that it is done
    listens: bool = False  # it commits what it is told to give up
    from_end: bool = False  # it begins with what comes, not with what is there
    vintage: int = 0  # how old a client it is: 0 speaks the newest versions, 2 those of long ago


class Verb(Enum):
    SEND = "send"
    FETCH = "fetch"
    LOOK_UP = "look-up"
    CREATE = "create"
    DELETE = "delete"
    GROW = "grow"
    DELETE_BEFORE = "delete-before"
    MOVE = "move"  # partitions to the count-th log directory there is, -1: to one that is not
    PLACES = "places"  # in which log directories partitions are
    LIST = "list"
    CONFIGS = "configs"
    ALTER = "alter"  # some settings of a topic
    REPLACE = "replace"  # all settings of a topic
    INQUIRE = "inquire"  # the count-th question there is
    JOIN = "join"  # become a member, or come back as one: of the topics "t0+t1"
    LEAVE = "leave"
    VANISH = "vanish"  # a member's process ends, and says nothing
    PAUSE = (
        "pause"  # a member does nothing for `wait_ms`, and doesn't know; an own one with a `count`
    )
    # only wants no records
    COMMIT = "commit"
    POSITIONS = "positions"
    SEEK = "seek"  # to the beginning of the count-th partition that there is
    FORGET = "forget"  # a committed offset
    SEE_GROUP = "see-group"
    LIST_GROUPS = "list-groups"
    DELETE_GROUP = "delete-group"
    QUOTA = "quota"  # some quotas of an entity
    QUOTAS = "quotas"  # which are there?
    INSULT = "insult"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a client's application asks for.

    `count`: records of a send, partitions of a create or grow, the offset of a delete-before (-1: the
    high watermark). A move is of all partitions of the topics "t0+t1", or of one, if `partition` says
    which. `size_bytes`: of a value; how much a fetch takes. `wait_ms`: of a fetch.
    `time_ms`: of a look-up: -1, -2, -3, or since EPOCH_MS; for a send, how old its records are.
    `configs`: of an alter, with an empty text for a setting that is taken away. `group`: an
    administrator's; members have their own. `keys`: of a send, how many different ones there are, and
    tombstones among the records; 0: all have the same key and a value. A fetch with a `count` goes to
    that offset first. `entity`: whose quotas are set, to `configs`: `client-id:client-1/user:`, where
    an empty name is the default.
    """

    at_us: int
    client: int
    verb: Verb
    topic: str = ""
    partition: int = 0
    count: int = 0
    size_bytes: int = 0
    wait_ms: int = 0
    time_ms: int = 0
    configs: tuple[tuple[str, str], ...] = ()
    group: str = ""
    keys: int = 0
    entity: str = ""


class Blow(Enum):
    KILL = "kill"
    POWER = "power"
    STOP = "stop"  # cleanly
    KILL_AT = "kill-at"  # in the middle of the count-th change on the disk from now on
    POWER_AT = "power-at"
    FULL = "full"  # the disk takes `count` bytes more
    WRITE_ERROR = "write-error"  # on the next `count` writes
    SYNC_ERROR = "sync-error"  # on the next `count` syncs
    RENAME_ERROR = "rename-error"
    REMOVE_ERROR = "remove-error"
    READ_ERROR = "read-error"
    NO_DESCRIPTOR = "no-descriptor"  # for the next `count` files
    SLOW_SYNC = "slow-sync"  # a sync takes up to `count` ms longer, a file at a time
    FLIP = "flip"  # a bit of an index or a snapshot
    FLIP_LOG = "flip-log"  # a bit of a segment
    LOSE_FILE = "lose-file"  # of an index, a snapshot or the like, while no process is there
    LEAVE_FILE = "leave-file"  # what a process may leave behind that ends in its midst
    INHERIT = "inherit"  # a directory of an old Kafka stands there (`heritage.py`)
    PAUSE = "pause"  # SIGSTOP: nothing is handled, and then everything
    RESET = "reset"  # a client's connection
    MUTE_UP = "mute-up"  # half-open: what the client sends vanishes
    MUTE_DOWN = "mute-down"
    CUT = "cut"  # a client's bytes stand still, both ways
    CLOG = "clog"  # a client's bytes stand still on their way up, its close too
    AWAY = "away"  # a log directory, not the first one, can't be opened by the next process
    CLOCK = "clock"  # the wall clock jumps by `count` ms, forward or back


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`lasts_us`: until the node is started again, or the fault is healed. `salt` names the stream
    of chance that decides what is lost. `log_dir`: the number of the directory whose disk it hits."""

    at_us: int
    blow: Blow
    node: int = 0
    client: int = -1
    lasts_us: int = 0
    count: int = 0
    salt: int = 0
    log_dir: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`heal_us`: the load is over, every fault ends, and the world has to come to rest."""

    seed: int
    settings: tuple[tuple[str, str], ...]
    clients: tuple[ClientPlan, ...]
    asks: tuple[Ask, ...]
    faults: tuple[Fault, ...]
    heal_us: int
    heal: Blow = Blow.KILL  # how the process ends at heal_us, to be started again
    wanted: str = ""  # topics that every start provides, as in KAFKA_CREATE_TOPICS
    recover_twice: bool = False  # after each crash, a copy of the directory is opened twice first
