"""A plan as text, and back: what a shrunk failure is kept as, valid whatever draws plans later.

    # Why this script is here.
    seed 54
    heal 3000000 kill
    set ottla.flush=ack
    client 1 producer idempotent=yes latency_us=500
    at 12000 client 1 send topic=t0 count=3
    at 15000 fault power salt=7 lasts_us=1000
    ----
    every promise is kept

Times are microseconds. What is not named has its default in `plan.py`. Below the line stands what
came of it: one line per broken promise, or that none was.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from enum import Enum
from typing import Final

from ottla.sim.plan import Ask, Blow, ClientPlan, Fault, Plan, Role, Verb

RULE: Final = "----"
KEPT: Final = "every promise is kept"

_POSITIONAL: Final = frozenset({"at_us", "client", "verb", "blow", "number", "role"})


class MalformedScript(ValueError):
    """Names the line and what is wrong with it."""


def format_plan(plan: Plan) -> str:
    lines = [f"seed {plan.seed}", f"heal {plan.heal_us} {plan.heal.value}"]
    if plan.wanted:
        lines.append(f"want {plan.wanted}")
    if plan.recover_twice:
        lines.append("recover-twice")
    lines += [f"set {key}={text}" for key, text in plan.settings]
    lines += [f"client {one.number} {one.role.value}{_options(one)}" for one in plan.clients]
    timed = [
        (ask.at_us, f"at {ask.at_us} client {ask.client} {ask.verb.value}{_options(ask)}")
        for ask in plan.asks
    ]
    for fault in plan.faults:
        client = f" client={fault.client}" if fault.client >= 0 else ""
        text = f"at {fault.at_us} fault {fault.blow.value}{client}{_options(fault)}"
        timed.append((fault.at_us, text))
    timed.sort(key=lambda one: one[0])
    return "\n".join([*lines, *(text for _, text in timed)]) + "\n"


def parse_plan(text: str) -> Plan:
    """The part above the rule. Raises MalformedScript."""
    seed, heal_us, heal, recover_twice = 0, 0, Blow.KILL, False
    wanted = ""
    settings: list[tuple[str, str]] = []
    clients: list[ClientPlan] = []
    asks: list[Ask] = []
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if line.strip() == RULE:
            break
        if not words or words[0].startswith("#"):
            continue
        try:
            match words:
                case ["seed", value]:
                    seed = int(value)
                case ["heal", value, blow]:
                    heal_us, heal = int(value), Blow(blow)
                case ["want", value]:
                    wanted = value
                case ["recover-twice"]:
                    recover_twice = True
                case ["set", pair]:
                    key, _, value = pair.partition("=")
                    settings.append((key, value))
                case ["client", value, role, *options]:
                    clients.append(_client(int(value), Role(role), _pairs(options)))
                case ["at", at_us, "client", client, verb, *options]:
                    asks.append(_ask(int(at_us), int(client), Verb(verb), _pairs(options)))
                case ["at", at_us, "fault", blow, *options]:
                    faults.append(_fault(int(at_us), Blow(blow), _pairs(options)))
                case _:
                    raise MalformedScript("no such statement")
        except (ValueError, TypeError) as error:
            raise MalformedScript(f"line {number}: {line!r}: {error}") from error
    return Plan(
        seed=seed,
        settings=tuple(settings),
        clients=tuple(clients),
        asks=tuple(asks),
        faults=tuple(faults),
        heal_us=heal_us,
        heal=heal,
        wanted=wanted,
        recover_twice=recover_twice,
    )


def format_outcome(problems: tuple[str, ...]) -> str:
    return "\n".join(problems or (KEPT,)) + "\n"


def _options(one: ClientPlan | Ask | Fault) -> str:
    """What differs from the default, as ` key=value`."""
    words = []
    for field in fields(one):
        value: object = getattr(one, field.name)
        if field.name in _POSITIONAL or (field.default is not MISSING and value == field.default):
            continue
        words.append(f" {field.name}={_text(value)}")
    return "".join(words)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return ",".join(f"{key}:{text.replace(',', ';')}" for key, text in value)
    return str(value)


def _pairs(options: list[str]) -> dict[str, str]:
    pairs = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise MalformedScript(f"{option!r} is not key=value")
        pairs[key] = value
    return pairs


class _Options:
    """Values by name; every one has to be asked for."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._left = dict(pairs)

    def number(self, name: str, default: int = 0) -> int:
        return int(self._left.pop(name, default))

    def flag(self, name: str, *, default: bool = False) -> bool:
        text = self._left.pop(name, "")
        return default if not text else text == "yes"

    def text(self, name: str) -> str:
        return self._left.pop(name, "")

    def end(self) -> None:
        if self._left:
            raise MalformedScript(f"unknown: {', '.join(self._left)}")


def _client(number: int, role: Role, pairs: dict[str, str]) -> ClientPlan:
    options = _Options(pairs)
    plain = ClientPlan(number=number, role=role)
    client = ClientPlan(
        number=number,
        role=role,
        acks=options.number("acks", plain.acks),
        idempotent=options.flag("idempotent"),
        in_flight_max=options.number("in_flight_max", plain.in_flight_max),
        retries=options.flag("retries", default=plain.retries),
        by_name=options.flag("by_name"),
        session=options.flag("session"),
        committed=options.flag("committed"),
        whims=options.flag("whims"),
        negotiates=options.flag("negotiates"),
        lazy=options.flag("lazy"),
        codec=options.number("codec", plain.codec),
        latency_us=options.number("latency_us", plain.latency_us),
        timeout_ms=options.number("timeout_ms", plain.timeout_ms),
        group=options.text("group"),
        instance=options.text("instance"),
        session_ms=options.number("session_ms"),
        rebalance_ms=options.number("rebalance_ms"),
        linger_ms=options.number("linger_ms"),
        batch_bytes=options.number("batch_bytes"),
        buffer_bytes=options.number("buffer_bytes"),
        assignors=options.text("assignors"),
        commit_ms=options.number("commit_ms"),
        by_record=options.flag("by_record"),
        listens=options.flag("listens"),
        from_end=options.flag("from_end"),
        vintage=options.number("vintage"),
    )
    options.end()
    return client


def _ask(at_us: int, client: int, verb: Verb, pairs: dict[str, str]) -> Ask:
    options = _Options(pairs)
    configs = []
    for pair in filter(None, options.text("configs").split(",")):
        key, _, value = pair.partition(":")
        configs.append((key, value.replace(";", ",")))
    ask = Ask(
        at_us=at_us,
        client=client,
        verb=verb,
        topic=options.text("topic"),
        partition=options.number("partition"),
        count=options.number("count"),
        size_bytes=options.number("size_bytes"),
        wait_ms=options.number("wait_ms"),
        time_ms=options.number("time_ms"),
        configs=tuple(configs),
        group=options.text("group"),
        keys=options.number("keys"),
        entity=options.text("entity"),
    )
    options.end()
    return ask


def _fault(at_us: int, blow: Blow, pairs: dict[str, str]) -> Fault:
    options = _Options(pairs)
    fault = Fault(
        at_us=at_us,
        blow=blow,
        node=options.number("node"),
        client=options.number("client", -1),
        lasts_us=options.number("lasts_us"),
        count=options.number("count"),
        salt=options.number("salt"),
        log_dir=options.number("log_dir"),
    )
    options.end()
    return fault
