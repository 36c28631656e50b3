"""The nearest name, for a setting that the broker does not know.

The names are those that Ottla knows, which are Kafka's. A broker may know others (a newer one, or
another maker's): whether a name is right is for it to say; here is only what to say after it refused.
"""

from collections.abc import Collection, Iterable

from ottla.client.configs import Kind
from ottla.errors import ApiError, ErrorCode


def correction(error: ApiError, kind: Kind, names: Iterable[str]) -> str | None:
    """`There is no retenton.ms. Did you mean retention.ms?`, where that is what was wrong."""
    if error.code not in (ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_REQUEST):
        return None
    known = _known(kind)
    for name in names:
        if name in known or name not in (error.message or ""):
            continue
        from difflib import get_close_matches

        near = get_close_matches(name, known, n=1)
        if near:
            return f"There is no {name}. Did you mean {near[0]}?"
    return None


def _known(kind: Kind) -> Collection[str]:
    match kind:
        case Kind.TOPIC:
            from ottla.settings.topic import SETTINGS

            return SETTINGS
        case Kind.GROUP:
            from ottla.settings.describe import GROUP_SETTINGS

            return GROUP_SETTINGS
        case Kind.CLIENT_METRICS:
            from ottla.settings.describe import CLIENT_METRICS_SETTINGS

            return CLIENT_METRICS_SETTINGS
        case Kind.BROKER:
            from ottla.settings.broker import SETTINGS as BROKER_SETTINGS

            return BROKER_SETTINGS
    return ()
