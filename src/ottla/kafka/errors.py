"""The exceptions that user code catches: kafka-python's names, one tree for its 2.x and 3.x.

As in 3.x, what may succeed later is a `RetriableError`, and what new metadata may mend an
`InvalidMetadataError`; as in 2.x, the root is a `RuntimeError` and `NoBrokersAvailable` is there, now
a kind of `KafkaTimeoutError`. `errno` is the protocol's code; `for_code` finds the class.

An exception says more than its name: `hint` (what to do), `broker` (an address) and
`topic_partition`, where they are known. What becomes which of these: `translation.py`.

One tree, left whole on purpose.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from ottla.errors import ErrorCode, error_name
from ottla.types import TopicPartition


class KafkaError(RuntimeError):
    """The root."""

    retriable: ClassVar[bool] = False
    invalid_metadata: ClassVar[bool] = False

    hint: str | None = None
    broker: str | None = None
    topic_partition: TopicPartition | None = None

    def __str__(self) -> str:
        name = type(self).__name__
        text = super().__str__()
        text = f"{name}: {text}" if text else name
        return text if self.hint is None else f"{text}\n{self.hint}"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == getattr(other, "args", None)

    def __hash__(self) -> int:
        return hash((type(self), self.args))


class RetriableError(KafkaError):
    """The same call may succeed later."""

    retriable = True


class InvalidMetadataError(RetriableError):
    """What was known of the cluster is out of date."""

    invalid_metadata = True


class BrokerResponseError(KafkaError):
    """A broker answered with an error code, `errno`."""

    errno: ClassVar[int | None] = None
    message: ClassVar[str | None] = None

    def __init_subclass__(cls) -> None:
        if cls.errno is not None:
            cls.message = error_name(cls.errno)

    def __str__(self) -> str:
        return f"[Error {self.errno}] {super().__str__()}"


class AuthorizationError(BrokerResponseError):
    """The user may not do this."""


# ---- without a code: found out on this side


class KafkaTimeoutError(RetriableError):
    """Not done within the time given."""


class NoBrokersAvailable(KafkaTimeoutError):
    """None of the bootstrap servers answered."""


class KafkaConfigurationError(KafkaError):
    """A configuration that does not exist, or a value that it cannot have."""


class UnknownConfigError(KafkaConfigurationError, TypeError):
    """A keyword that no configuration has."""


class InvalidConfigValueError(KafkaConfigurationError, TypeError, ValueError):
    """A value of a wrong type, or out of range."""


class CommitFailedError(KafkaError):
    """The group went on without this member before it committed."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(args or (_COMMIT_FAILED,)))


class LogTruncationError(KafkaError):
    """Records that were read are not in the log any more (KIP-320); `divergent_offsets` by partition."""

    def __init__(self, divergent_offsets: Mapping[TopicPartition, object], *args: object) -> None:
        self.divergent_offsets = divergent_offsets
        super().__init__(*(args or (f"Detected truncated partitions: {dict(divergent_offsets)}",)))


class KafkaProtocolError(KafkaError): ...


class Cancelled(RetriableError): ...


class CorrelationIdError(RetriableError, KafkaProtocolError): ...


class IllegalArgumentError(KafkaError): ...


class IllegalStateError(KafkaError): ...


class InvalidReceiveError(KafkaProtocolError): ...


class KafkaConnectionError(InvalidMetadataError): ...


class MetadataEmptyBrokerList(RetriableError): ...


class NoOffsetForPartitionError(KafkaError): ...


class NodeNotReadyError(RetriableError): ...


class QuotaViolationError(KafkaError): ...


class StaleMetadata(InvalidMetadataError): ...


class TooManyInFlightRequests(RetriableError): ...


class TransactionAbortedError(KafkaError): ...


class UnknownBrokerIdError(KafkaError): ...


class UnrecognizedBrokerVersion(KafkaError): ...


class UnsupportedCodecError(KafkaError): ...


# ---- the protocol's codes


class UnknownError(BrokerResponseError):
    errno = ErrorCode.UNKNOWN_SERVER_ERROR


class NoError(BrokerResponseError):
    errno = ErrorCode.NONE


class OffsetOutOfRangeError(BrokerResponseError):
    errno = ErrorCode.OFFSET_OUT_OF_RANGE


class CorruptRecordError(RetriableError, BrokerResponseError):
    errno = ErrorCode.CORRUPT_MESSAGE


CorruptRecordException = CorruptRecordError


class UnknownTopicOrPartitionError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


class InvalidFetchRequestError(BrokerResponseError):
    errno = ErrorCode.INVALID_FETCH_SIZE


class LeaderNotAvailableError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.LEADER_NOT_AVAILABLE


class NotLeaderForPartitionError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.NOT_LEADER_OR_FOLLOWER


class RequestTimedOutError(RetriableError, BrokerResponseError):
    errno = ErrorCode.REQUEST_TIMED_OUT


class BrokerNotAvailableError(BrokerResponseError):
    errno = ErrorCode.BROKER_NOT_AVAILABLE


class ReplicaNotAvailableError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.REPLICA_NOT_AVAILABLE


class MessageSizeTooLargeError(BrokerResponseError):
    errno = ErrorCode.MESSAGE_TOO_LARGE


class StaleControllerEpochError(BrokerResponseError):
    errno = ErrorCode.STALE_CONTROLLER_EPOCH


class OffsetMetadataTooLargeError(BrokerResponseError):
    errno = ErrorCode.OFFSET_METADATA_TOO_LARGE


class NetworkExceptionError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.NETWORK_EXCEPTION


class CoordinatorLoadInProgressError(RetriableError, BrokerResponseError):
    errno = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS


class CoordinatorNotAvailableError(RetriableError, BrokerResponseError):
    errno = ErrorCode.COORDINATOR_NOT_AVAILABLE


class NotCoordinatorError(RetriableError, BrokerResponseError):
    errno = ErrorCode.NOT_COORDINATOR


class InvalidTopicError(BrokerResponseError):
    errno = ErrorCode.INVALID_TOPIC_EXCEPTION


class RecordListTooLargeError(BrokerResponseError):
    errno = ErrorCode.RECORD_LIST_TOO_LARGE


class NotEnoughReplicasError(RetriableError, BrokerResponseError):
    errno = ErrorCode.NOT_ENOUGH_REPLICAS


class NotEnoughReplicasAfterAppendError(RetriableError, BrokerResponseError):
    errno = ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND


class InvalidRequiredAcksError(BrokerResponseError):
    errno = ErrorCode.INVALID_REQUIRED_ACKS


class IllegalGenerationError(BrokerResponseError):
    errno = ErrorCode.ILLEGAL_GENERATION


class InconsistentGroupProtocolError(BrokerResponseError):
    errno = ErrorCode.INCONSISTENT_GROUP_PROTOCOL


class InvalidGroupIdError(BrokerResponseError):
    errno = ErrorCode.INVALID_GROUP_ID


class UnknownMemberIdError(BrokerResponseError):
    errno = ErrorCode.UNKNOWN_MEMBER_ID


class InvalidSessionTimeoutError(BrokerResponseError):
    errno = ErrorCode.INVALID_SESSION_TIMEOUT


class RebalanceInProgressError(BrokerResponseError):
    errno = ErrorCode.REBALANCE_IN_PROGRESS


class CommitWhileRebalancingError(CommitFailedError, RebalanceInProgressError):
    """Both at once, because kafka-python raises now the one, now the other: after the next `poll` the
    commit may be tried again."""


class InvalidCommitOffsetSizeError(BrokerResponseError):
    errno = ErrorCode.INVALID_COMMIT_OFFSET_SIZE


class TopicAuthorizationFailedError(AuthorizationError):
    errno = ErrorCode.TOPIC_AUTHORIZATION_FAILED


class GroupAuthorizationFailedError(AuthorizationError):
    errno = ErrorCode.GROUP_AUTHORIZATION_FAILED


class ClusterAuthorizationFailedError(AuthorizationError):
    errno = ErrorCode.CLUSTER_AUTHORIZATION_FAILED


class InvalidTimestampError(BrokerResponseError):
    errno = ErrorCode.INVALID_TIMESTAMP


class UnsupportedSaslMechanismError(BrokerResponseError):
    errno = ErrorCode.UNSUPPORTED_SASL_MECHANISM


class IllegalSaslStateError(BrokerResponseError):
    errno = ErrorCode.ILLEGAL_SASL_STATE


class UnsupportedVersionError(BrokerResponseError):
    errno = ErrorCode.UNSUPPORTED_VERSION


class IncompatibleBrokerVersion(UnsupportedVersionError):
    """The broker is too old for what was asked."""


class TopicAlreadyExistsError(BrokerResponseError):
    errno = ErrorCode.TOPIC_ALREADY_EXISTS


class InvalidPartitionsError(BrokerResponseError):
    errno = ErrorCode.INVALID_PARTITIONS


class InvalidReplicationFactorError(BrokerResponseError):
    errno = ErrorCode.INVALID_REPLICATION_FACTOR


class InvalidReplicationAssignmentError(BrokerResponseError):
    errno = ErrorCode.INVALID_REPLICA_ASSIGNMENT


class InvalidConfigurationError(BrokerResponseError):
    errno = ErrorCode.INVALID_CONFIG


class NotControllerError(RetriableError, BrokerResponseError):
    errno = ErrorCode.NOT_CONTROLLER


class InvalidRequestError(BrokerResponseError):
    errno = ErrorCode.INVALID_REQUEST


class UnsupportedForMessageFormatError(BrokerResponseError):
    errno = ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT


class PolicyViolationError(BrokerResponseError):
    errno = ErrorCode.POLICY_VIOLATION


class OutOfOrderSequenceNumberError(BrokerResponseError):
    errno = ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


class DuplicateSequenceNumberError(BrokerResponseError):
    errno = ErrorCode.DUPLICATE_SEQUENCE_NUMBER


class InvalidProducerEpochError(BrokerResponseError):
    errno = ErrorCode.INVALID_PRODUCER_EPOCH


class InvalidTxnStateError(BrokerResponseError):
    errno = ErrorCode.INVALID_TXN_STATE


class InvalidProducerIdMappingError(BrokerResponseError):
    errno = ErrorCode.INVALID_PRODUCER_ID_MAPPING


class InvalidTransactionTimeoutError(BrokerResponseError):
    errno = ErrorCode.INVALID_TRANSACTION_TIMEOUT


class ConcurrentTransactionsError(RetriableError, BrokerResponseError):
    errno = ErrorCode.CONCURRENT_TRANSACTIONS


class TransactionCoordinatorFencedError(BrokerResponseError):
    errno = ErrorCode.TRANSACTION_COORDINATOR_FENCED


class TransactionalIdAuthorizationFailedError(AuthorizationError):
    errno = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


class SecurityDisabledError(BrokerResponseError):
    errno = ErrorCode.SECURITY_DISABLED


class OperationNotAttemptedError(BrokerResponseError):
    errno = ErrorCode.OPERATION_NOT_ATTEMPTED


class KafkaStorageError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.KAFKA_STORAGE_ERROR


class LogDirNotFoundError(BrokerResponseError):
    errno = ErrorCode.LOG_DIR_NOT_FOUND


class SaslAuthenticationFailedError(BrokerResponseError):
    errno = ErrorCode.SASL_AUTHENTICATION_FAILED


class UnknownProducerIdError(BrokerResponseError):
    errno = ErrorCode.UNKNOWN_PRODUCER_ID


class ReassignmentInProgressError(BrokerResponseError):
    errno = ErrorCode.REASSIGNMENT_IN_PROGRESS


class DelegationTokenAuthDisabledError(BrokerResponseError):
    errno = ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED


class DelegationTokenNotFoundError(BrokerResponseError):
    errno = ErrorCode.DELEGATION_TOKEN_NOT_FOUND


class DelegationTokenOwnerMismatchError(BrokerResponseError):
    errno = ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH


class DelegationTokenRequestNotAllowedError(BrokerResponseError):
    errno = ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED


class DelegationTokenAuthorizationFailedError(AuthorizationError):
    errno = ErrorCode.DELEGATION_TOKEN_AUTHORIZATION_FAILED


class DelegationTokenExpiredError(BrokerResponseError):
    errno = ErrorCode.DELEGATION_TOKEN_EXPIRED


class InvalidPrincipalTypeError(BrokerResponseError):
    errno = ErrorCode.INVALID_PRINCIPAL_TYPE


class NonEmptyGroupError(BrokerResponseError):
    errno = ErrorCode.NON_EMPTY_GROUP


class GroupIdNotFoundError(BrokerResponseError):
    errno = ErrorCode.GROUP_ID_NOT_FOUND


class FetchSessionIdNotFoundError(RetriableError, BrokerResponseError):
    errno = ErrorCode.FETCH_SESSION_ID_NOT_FOUND


class InvalidFetchSessionEpochError(RetriableError, BrokerResponseError):
    errno = ErrorCode.INVALID_FETCH_SESSION_EPOCH


class ListenerNotFoundError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.LISTENER_NOT_FOUND


class TopicDeletionDisabledError(BrokerResponseError):
    errno = ErrorCode.TOPIC_DELETION_DISABLED


class FencedLeaderEpochError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.FENCED_LEADER_EPOCH


class UnknownLeaderEpochError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.UNKNOWN_LEADER_EPOCH


class UnsupportedCompressionTypeError(BrokerResponseError):
    errno = ErrorCode.UNSUPPORTED_COMPRESSION_TYPE


class StaleBrokerEpochError(BrokerResponseError):
    errno = ErrorCode.STALE_BROKER_EPOCH


class OffsetNotAvailableError(RetriableError, BrokerResponseError):
    errno = ErrorCode.OFFSET_NOT_AVAILABLE


class MemberIdRequiredError(BrokerResponseError):
    errno = ErrorCode.MEMBER_ID_REQUIRED


class PreferredLeaderNotAvailableError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE


class GroupMaxSizeReachedError(BrokerResponseError):
    errno = ErrorCode.GROUP_MAX_SIZE_REACHED


class FencedInstanceIdError(BrokerResponseError):
    errno = ErrorCode.FENCED_INSTANCE_ID


class EligibleLeadersNotAvailableError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE


class ElectionNotNeededError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.ELECTION_NOT_NEEDED


class NoReassignmentInProgressError(BrokerResponseError):
    errno = ErrorCode.NO_REASSIGNMENT_IN_PROGRESS


class GroupSubscribedToTopicError(BrokerResponseError):
    errno = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC


class InvalidRecordError(BrokerResponseError):
    errno = ErrorCode.INVALID_RECORD


class UnstableOffsetCommitError(RetriableError, BrokerResponseError):
    errno = ErrorCode.UNSTABLE_OFFSET_COMMIT


class ThrottlingQuotaExceededError(RetriableError, BrokerResponseError):
    errno = ErrorCode.THROTTLING_QUOTA_EXCEEDED


class ProducerFencedError(BrokerResponseError):
    errno = ErrorCode.PRODUCER_FENCED


class ResourceNotFoundError(BrokerResponseError):
    errno = ErrorCode.RESOURCE_NOT_FOUND


class DuplicateResourceError(BrokerResponseError):
    errno = ErrorCode.DUPLICATE_RESOURCE


class UnacceptableCredentialError(BrokerResponseError):
    errno = ErrorCode.UNACCEPTABLE_CREDENTIAL


class InconsistentVoterSetError(BrokerResponseError):
    errno = ErrorCode.INCONSISTENT_VOTER_SET


class InvalidUpdateVersionError(BrokerResponseError):
    errno = ErrorCode.INVALID_UPDATE_VERSION


class FeatureUpdateFailedError(BrokerResponseError):
    errno = ErrorCode.FEATURE_UPDATE_FAILED


class PrincipalDeserializationFailureError(BrokerResponseError):
    errno = ErrorCode.PRINCIPAL_DESERIALIZATION_FAILURE


class SnapshotNotFoundError(BrokerResponseError):
    errno = ErrorCode.SNAPSHOT_NOT_FOUND


class PositionOutOfRangeError(BrokerResponseError):
    errno = ErrorCode.POSITION_OUT_OF_RANGE


class UnknownTopicIdError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.UNKNOWN_TOPIC_ID


class DuplicateBrokerRegistrationError(BrokerResponseError):
    errno = ErrorCode.DUPLICATE_BROKER_REGISTRATION


class BrokerIdNotRegisteredError(BrokerResponseError):
    errno = ErrorCode.BROKER_ID_NOT_REGISTERED


class InconsistentTopicIdError(InvalidMetadataError, BrokerResponseError):
    errno = ErrorCode.INCONSISTENT_TOPIC_ID


class InconsistentClusterIdError(BrokerResponseError):
    errno = ErrorCode.INCONSISTENT_CLUSTER_ID


class TransactionalIdNotFoundError(BrokerResponseError):
    errno = ErrorCode.TRANSACTIONAL_ID_NOT_FOUND


class FetchSessionTopicIdError(RetriableError, BrokerResponseError):
    errno = ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR


class IneligibleReplicaError(BrokerResponseError):
    errno = ErrorCode.INELIGIBLE_REPLICA


class NewLeaderElectedError(BrokerResponseError):
    errno = ErrorCode.NEW_LEADER_ELECTED


class OffsetMovedToTieredStorageError(BrokerResponseError):
    errno = ErrorCode.OFFSET_MOVED_TO_TIERED_STORAGE


class FencedMemberEpochError(BrokerResponseError):
    errno = ErrorCode.FENCED_MEMBER_EPOCH


class UnreleasedInstanceIdError(BrokerResponseError):
    errno = ErrorCode.UNRELEASED_INSTANCE_ID


class UnsupportedAssignorError(BrokerResponseError):
    errno = ErrorCode.UNSUPPORTED_ASSIGNOR


class StaleMemberEpochError(BrokerResponseError):
    errno = ErrorCode.STALE_MEMBER_EPOCH


class MismatchedEndpointTypeError(BrokerResponseError):
    errno = ErrorCode.MISMATCHED_ENDPOINT_TYPE


class UnsupportedEndpointTypeError(BrokerResponseError):
    errno = ErrorCode.UNSUPPORTED_ENDPOINT_TYPE


class UnknownControllerIdError(BrokerResponseError):
    errno = ErrorCode.UNKNOWN_CONTROLLER_ID


class UnknownSubscriptionIdError(BrokerResponseError):
    errno = ErrorCode.UNKNOWN_SUBSCRIPTION_ID


class TelemetryTooLargeError(BrokerResponseError):
    errno = ErrorCode.TELEMETRY_TOO_LARGE


class InvalidRegistrationError(BrokerResponseError):
    errno = ErrorCode.INVALID_REGISTRATION


class TransactionAbortableError(BrokerResponseError):
    errno = ErrorCode.TRANSACTION_ABORTABLE


class InvalidRecordStateError(BrokerResponseError):
    errno = ErrorCode.INVALID_RECORD_STATE


class ShareSessionNotFoundError(RetriableError, BrokerResponseError):
    errno = ErrorCode.SHARE_SESSION_NOT_FOUND


class InvalidShareSessionEpochError(RetriableError, BrokerResponseError):
    errno = ErrorCode.INVALID_SHARE_SESSION_EPOCH


class FencedStateEpochError(BrokerResponseError):
    errno = ErrorCode.FENCED_STATE_EPOCH


class InvalidVoterKeyError(BrokerResponseError):
    errno = ErrorCode.INVALID_VOTER_KEY


class DuplicateVoterError(BrokerResponseError):
    errno = ErrorCode.DUPLICATE_VOTER


class VoterNotFoundError(BrokerResponseError):
    errno = ErrorCode.VOTER_NOT_FOUND


class InvalidRegularExpressionError(BrokerResponseError):
    errno = ErrorCode.INVALID_REGULAR_EXPRESSION


class RebootstrapRequiredError(BrokerResponseError):
    errno = ErrorCode.REBOOTSTRAP_REQUIRED


class StreamsInvalidTopologyError(BrokerResponseError):
    errno = ErrorCode.STREAMS_INVALID_TOPOLOGY


class StreamsInvalidTopologyEpochError(BrokerResponseError):
    errno = ErrorCode.STREAMS_INVALID_TOPOLOGY_EPOCH


class StreamsTopologyFencedError(BrokerResponseError):
    errno = ErrorCode.STREAMS_TOPOLOGY_FENCED


class ShareSessionLimitReachedError(RetriableError, BrokerResponseError):
    errno = ErrorCode.SHARE_SESSION_LIMIT_REACHED


class GroupDeletionFailedError(BrokerResponseError):
    errno = ErrorCode.GROUP_DELETION_FAILED


class StreamsTopologyDescriptionUpdateFailedError(BrokerResponseError):
    errno = ErrorCode.STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED


class ControllerIdNotRegisteredError(BrokerResponseError):
    errno = ErrorCode.CONTROLLER_ID_NOT_REGISTERED


# ---- names of older releases

KafkaUnavailableError = NoBrokersAvailable
ConnectionError = KafkaConnectionError
NotLeaderOrFollowerError = NotLeaderForPartitionError
RecordTooLargeError = MessageSizeTooLargeError


_COMMIT_FAILED: Final = (
    "Commit cannot be completed since the group has already rebalanced and assigned the partitions "
    "to another member. The time between two calls of poll() was longer than max_poll_interval_ms, "
    "or the process was paused: raise max_poll_interval_ms, or lower max_poll_records."
)


def _coded(root: type[BrokerResponseError]) -> dict[int, type[BrokerResponseError]]:
    found: dict[int, type[BrokerResponseError]] = {}
    for kind in root.__subclasses__():
        if "errno" in vars(kind) and kind.errno is not None:
            found[kind.errno] = kind
        found.update(_coded(kind))
    return found


kafka_errors: Final = _coded(BrokerResponseError)
"""By code, its exception."""


def for_code(error_code: int) -> type[BrokerResponseError]:
    """The class of a code; for one that nobody here knows, a class that keeps its number."""
    known = kafka_errors.get(error_code)
    if known is not None:
        return known
    return type("UnrecognizedBrokerError", (UnknownError,), {"errno": error_code})
