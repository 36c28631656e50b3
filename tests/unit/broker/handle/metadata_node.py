"""What the tests of the metadata handlers share: a node, a way to ask it, a look at the encoded answer."""

from collections.abc import Callable
from typing import TypeVar

from ottla.core.effect import Effect, Reply
from ottla.core.metadata.reach import Reach
from ottla.wire.api import APIS, Message
from ottla.wire.server import Call
from tests.unit.core.controller.one_node import NODE_ID, OneNode, call

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

REACH = Reach(node_id=NODE_ID, auto_listeners=frozenset({"PLAINTEXT"}))


def encoded(api_key: int, version: int, response: Message) -> Message:
    """The response as a client of that version reads it."""
    api = APIS[api_key]
    chunks = api.encode_response(response, version)
    data = b"".join(bytes(chunk) for chunk in chunks)  # type: ignore[arg-type]
    return api.decode_response_untrusted(memoryview(data), 0, version)


def reply_of(effects: list[Effect]) -> Reply:
    (reply,) = (effect for effect in effects if isinstance(effect, Reply))
    return reply


def ask(
    node: OneNode,
    handle: Callable[[int, Call, Q], list[Effect]],
    request: Q,
    version: int,
    kind: type[A],
    *,
    listener: str = "PLAINTEXT",
) -> A:
    """Ask, flush, and read the answer with the codec of `version`."""
    asked = call(request.API_KEY, version, listener=listener)
    replies = node.perform(handle(node.now_ms, asked, request))
    replies += node.flush()
    (reply,) = replies
    assert isinstance(reply, Reply)
    assert reply.call is asked
    assert reply.response is not None
    answer = encoded(request.API_KEY, version, reply.response)
    assert isinstance(answer, kind)
    return answer
