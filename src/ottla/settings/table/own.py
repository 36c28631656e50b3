"""What only Ottla has, what an authorizer of Kafka reads, and families of names that are accepted."""

from typing import Final

from ottla.settings.definition import BOOLEAN, LOW, STRING, Setting, setting
from ottla.settings.valid import one_of

SETTINGS: Final[tuple[Setting, ...]] = (
    setting("ottla.flush", STRING, "page-cache", one_of("page-cache", "ack"), honored=True),
    setting("ottla.http", STRING, "loopback", one_of("loopback", "all", "off"), honored=True),
    setting("ottla.metadata.store", STRING, "auto", one_of("auto", "local"), honored=True),
)

# Kafka's definitions do not list these; its own authorizer reads them.
AUTHORIZER_SETTINGS: Final[tuple[Setting, ...]] = (
    setting("allow.everyone.if.no.acl.found", BOOLEAN, False, None, LOW),
    setting("super.users", STRING, None, None, LOW),
)

# Kafka hands names it does not define to plug-ins; these families are never a misspelling.
ACCEPTED_PREFIXES: Final = (
    "confluent.",
    "config.providers.",
    "cruise.control.",
    "metrics.context.",
    "rlmm.config.",
    "rsm.config.",
    "quota.producer.",
    "quota.consumer.",
)
