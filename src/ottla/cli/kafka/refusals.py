"""What Kafka's tools call an error: the name of its exception, and what it says for itself.

Scripts look for these words. A broker that says more says it in its answer, and that counts.
"""

from typing import Final

from ottla.errors import ApiError, ErrorCode, OttlaError, error_name

_PACKAGE: Final = "org.apache.kafka.common.errors."


def said(error: OttlaError) -> str:
    """What an error says."""
    if not isinstance(error, ApiError):
        return str(error)
    if error.message:
        return error.message
    return _KNOWN[error.code][1] if error.code in _KNOWN else error_name(error.code)


def said_with_name(error: OttlaError) -> str:
    """What an error says after the name of its exception."""
    if not isinstance(error, ApiError):
        return said(error)
    return f"{exception_name(error.code)}: {said(error)}"


def exception_name(code: int) -> str:
    """The class of Kafka's."""
    return _PACKAGE + (_KNOWN[code][0] if code in _KNOWN else "ApiException")


_KNOWN: Final[dict[int, tuple[str, str]]] = {
    ErrorCode.UNKNOWN_SERVER_ERROR: (
        "UnknownServerException",
        "The server experienced an unexpected error when processing the request.",
    ),
    ErrorCode.OFFSET_OUT_OF_RANGE: (
        "OffsetOutOfRangeException",
        "The requested offset is not within the range of offsets maintained by the server.",
    ),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: (
        "UnknownTopicOrPartitionException",
        "This server does not host this topic-partition.",
    ),
    ErrorCode.LEADER_NOT_AVAILABLE: (
        "LeaderNotAvailableException",
        (
            "There is no leader for this topic-partition as we are in the middle of a leadership "
            "election."
        ),
    ),
    ErrorCode.NOT_LEADER_OR_FOLLOWER: (
        "NotLeaderOrFollowerException",
        (
            "For requests intended only for the leader, this error indicates that the broker is not"
            " the current leader. For requests intended for any replica, this error indicates that "
            "the broker is not a replica of the topic partition."
        ),
    ),
    ErrorCode.REQUEST_TIMED_OUT: ("TimeoutException", "The request timed out."),
    ErrorCode.BROKER_NOT_AVAILABLE: ("BrokerNotAvailableException", "The broker is not available."),
    ErrorCode.REPLICA_NOT_AVAILABLE: (
        "ReplicaNotAvailableException",
        (
            "The replica is not available for the requested topic-partition. Produce/Fetch requests"
            " and other requests intended only for the leader or follower return "
            "NOT_LEADER_OR_FOLLOWER if the broker is not a replica of the topic-partition."
        ),
    ),
    ErrorCode.MESSAGE_TOO_LARGE: (
        "RecordTooLargeException",
        "The request included a message larger than the max message size the server will accept.",
    ),
    ErrorCode.OFFSET_METADATA_TOO_LARGE: (
        "OffsetMetadataTooLarge",
        "The metadata field of the offset request was too large.",
    ),
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS: (
        "CoordinatorLoadInProgressException",
        "The coordinator is loading and hence can't process requests.",
    ),
    ErrorCode.COORDINATOR_NOT_AVAILABLE: (
        "CoordinatorNotAvailableException",
        "The coordinator is not available.",
    ),
    ErrorCode.NOT_COORDINATOR: ("NotCoordinatorException", "This is not the correct coordinator."),
    ErrorCode.INVALID_TOPIC_EXCEPTION: (
        "InvalidTopicException",
        "The request attempted to perform an operation on an invalid topic.",
    ),
    ErrorCode.ILLEGAL_GENERATION: (
        "IllegalGenerationException",
        "Specified group generation id is not valid.",
    ),
    ErrorCode.INCONSISTENT_GROUP_PROTOCOL: (
        "InconsistentGroupProtocolException",
        (
            "The group member's supported protocols are incompatible with those of existing members"
            " or first group member tried to join with empty protocol type or empty protocol list."
        ),
    ),
    ErrorCode.INVALID_GROUP_ID: ("InvalidGroupIdException", "The group id is invalid."),
    ErrorCode.UNKNOWN_MEMBER_ID: (
        "UnknownMemberIdException",
        "The coordinator is not aware of this member.",
    ),
    ErrorCode.REBALANCE_IN_PROGRESS: (
        "RebalanceInProgressException",
        "The group is rebalancing, so a rejoin is needed.",
    ),
    ErrorCode.TOPIC_AUTHORIZATION_FAILED: (
        "TopicAuthorizationException",
        "Topic authorization failed.",
    ),
    ErrorCode.GROUP_AUTHORIZATION_FAILED: (
        "GroupAuthorizationException",
        "Group authorization failed.",
    ),
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: (
        "ClusterAuthorizationException",
        "Cluster authorization failed.",
    ),
    ErrorCode.UNSUPPORTED_VERSION: (
        "UnsupportedVersionException",
        "The version of API is not supported.",
    ),
    ErrorCode.TOPIC_ALREADY_EXISTS: (
        "TopicExistsException",
        "Topic with this name already exists.",
    ),
    ErrorCode.INVALID_PARTITIONS: (
        "InvalidPartitionsException",
        "Number of partitions is below 1.",
    ),
    ErrorCode.INVALID_REPLICATION_FACTOR: (
        "InvalidReplicationFactorException",
        "Replication factor is below 1 or larger than the number of available brokers.",
    ),
    ErrorCode.INVALID_REPLICA_ASSIGNMENT: (
        "InvalidReplicaAssignmentException",
        "Replica assignment is invalid.",
    ),
    ErrorCode.INVALID_CONFIG: ("InvalidConfigurationException", "Configuration is invalid."),
    ErrorCode.NOT_CONTROLLER: (
        "NotControllerException",
        "This is not the correct controller for this cluster.",
    ),
    ErrorCode.INVALID_REQUEST: (
        "InvalidRequestException",
        (
            "This most likely occurs because of a request being malformed by the client library or "
            "the message was sent to an incompatible broker. See the broker logs for more details."
        ),
    ),
    ErrorCode.POLICY_VIOLATION: (
        "PolicyViolationException",
        "Request parameters do not satisfy the configured policy.",
    ),
    ErrorCode.INVALID_PRODUCER_EPOCH: (
        "InvalidProducerEpochException",
        "Producer attempted to produce with an old epoch.",
    ),
    ErrorCode.INVALID_TXN_STATE: (
        "InvalidTxnStateException",
        "The producer attempted a transactional operation in an invalid state.",
    ),
    ErrorCode.INVALID_PRODUCER_ID_MAPPING: (
        "InvalidPidMappingException",
        (
            "The producer attempted to use a producer id which is not currently assigned to its "
            "transactional id."
        ),
    ),
    ErrorCode.INVALID_TRANSACTION_TIMEOUT: (
        "InvalidTxnTimeoutException",
        (
            "The transaction timeout is larger than the maximum value allowed by the broker (as "
            "configured by transaction.max.timeout.ms)."
        ),
    ),
    ErrorCode.CONCURRENT_TRANSACTIONS: (
        "ConcurrentTransactionsException",
        (
            "The producer attempted to update a transaction while another concurrent operation on "
            "the same transaction was ongoing."
        ),
    ),
    ErrorCode.TRANSACTION_COORDINATOR_FENCED: (
        "TransactionCoordinatorFencedException",
        (
            "Indicates that the transaction coordinator sending a WriteTxnMarker is no longer the "
            "current coordinator for a given producer."
        ),
    ),
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: (
        "TransactionalIdAuthorizationException",
        "Transactional Id authorization failed.",
    ),
    ErrorCode.SECURITY_DISABLED: ("SecurityDisabledException", "Security features are disabled."),
    ErrorCode.OPERATION_NOT_ATTEMPTED: (
        "OperationNotAttemptedException",
        (
            "The broker did not attempt to execute this operation. This may happen for batched RPCs"
            " where some operations in the batch failed, causing the broker to respond without "
            "trying the rest."
        ),
    ),
    ErrorCode.KAFKA_STORAGE_ERROR: (
        "KafkaStorageException",
        "Disk error when trying to access log file on the disk.",
    ),
    ErrorCode.LOG_DIR_NOT_FOUND: (
        "LogDirNotFoundException",
        "The user-specified log directory is not found in the broker config.",
    ),
    ErrorCode.SASL_AUTHENTICATION_FAILED: (
        "SaslAuthenticationException",
        "SASL Authentication failed.",
    ),
    ErrorCode.REASSIGNMENT_IN_PROGRESS: (
        "ReassignmentInProgressException",
        "A partition reassignment is in progress.",
    ),
    ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED: (
        "DelegationTokenDisabledException",
        "Delegation Token feature is not enabled.",
    ),
    ErrorCode.INVALID_PRINCIPAL_TYPE: (
        "InvalidPrincipalTypeException",
        "Supplied principalType is not supported.",
    ),
    ErrorCode.NON_EMPTY_GROUP: ("GroupNotEmptyException", "The group is not empty."),
    ErrorCode.GROUP_ID_NOT_FOUND: ("GroupIdNotFoundException", "The group id does not exist."),
    ErrorCode.LISTENER_NOT_FOUND: (
        "ListenerNotFoundException",
        (
            "There is no listener on the leader broker that matches the listener on which metadata "
            "request was processed."
        ),
    ),
    ErrorCode.TOPIC_DELETION_DISABLED: (
        "TopicDeletionDisabledException",
        "Topic deletion is disabled.",
    ),
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE: (
        "UnsupportedCompressionTypeException",
        "The requesting client does not support the compression type of given partition.",
    ),
    ErrorCode.OFFSET_NOT_AVAILABLE: (
        "OffsetNotAvailableException",
        (
            "The leader high watermark has not caught up from a recent leader election so the "
            "offsets cannot be guaranteed to be monotonically increasing."
        ),
    ),
    ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE: (
        "PreferredLeaderNotAvailableException",
        "The preferred leader was not available.",
    ),
    ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE: (
        "EligibleLeadersNotAvailableException",
        "Eligible topic partition leaders are not available.",
    ),
    ErrorCode.ELECTION_NOT_NEEDED: (
        "ElectionNotNeededException",
        "Leader election not needed for topic partition.",
    ),
    ErrorCode.NO_REASSIGNMENT_IN_PROGRESS: (
        "NoReassignmentInProgressException",
        "No partition reassignment is in progress.",
    ),
    ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC: (
        "GroupSubscribedToTopicException",
        (
            "Deleting offsets of a topic is forbidden while the consumer group is actively "
            "subscribed to it."
        ),
    ),
    ErrorCode.INVALID_RECORD: (
        "InvalidRecordException",
        "This record has failed the validation on broker and hence will be rejected.",
    ),
    ErrorCode.UNSTABLE_OFFSET_COMMIT: (
        "UnstableOffsetCommitException",
        "There are unstable offsets that need to be cleared.",
    ),
    ErrorCode.THROTTLING_QUOTA_EXCEEDED: (
        "ThrottlingQuotaExceededException",
        "The throttling quota has been exceeded.",
    ),
    ErrorCode.PRODUCER_FENCED: (
        "ProducerFencedException",
        "There is a newer producer with the same transactionalId which fences the current one.",
    ),
    ErrorCode.RESOURCE_NOT_FOUND: (
        "ResourceNotFoundException",
        "A request illegally referred to a resource that does not exist.",
    ),
    ErrorCode.DUPLICATE_RESOURCE: (
        "DuplicateResourceException",
        "A request illegally referred to the same resource twice.",
    ),
    ErrorCode.UNACCEPTABLE_CREDENTIAL: (
        "UnacceptableCredentialException",
        "Requested credential would not meet criteria for acceptability.",
    ),
    ErrorCode.INVALID_UPDATE_VERSION: (
        "InvalidUpdateVersionException",
        "The given update version was invalid.",
    ),
    ErrorCode.FEATURE_UPDATE_FAILED: (
        "FeatureUpdateFailedException",
        "Unable to update finalized features due to an unexpected server error.",
    ),
    ErrorCode.POSITION_OUT_OF_RANGE: (
        "PositionOutOfRangeException",
        (
            "Requested position is not greater than or equal to zero, and less than the size of the"
            " snapshot."
        ),
    ),
    ErrorCode.UNKNOWN_TOPIC_ID: (
        "UnknownTopicIdException",
        "This server does not host this topic ID.",
    ),
    ErrorCode.BROKER_ID_NOT_REGISTERED: (
        "BrokerIdNotRegisteredException",
        "The given broker ID was not registered.",
    ),
    ErrorCode.TRANSACTIONAL_ID_NOT_FOUND: (
        "TransactionalIdNotFoundException",
        "The transactionalId could not be found.",
    ),
    ErrorCode.STALE_MEMBER_EPOCH: (
        "StaleMemberEpochException",
        (
            "The member epoch is stale. The member must retry after receiving its updated member "
            "epoch via the ConsumerGroupHeartbeat API."
        ),
    ),
    ErrorCode.UNSUPPORTED_ENDPOINT_TYPE: (
        "UnsupportedEndpointTypeException",
        "This endpoint type is not supported yet.",
    ),
    ErrorCode.UNKNOWN_CONTROLLER_ID: (
        "UnknownControllerIdException",
        "This controller ID is not known.",
    ),
    ErrorCode.INVALID_VOTER_KEY: (
        "InvalidVoterKeyException",
        "The voter key doesn't match the receiving replica's key.",
    ),
    ErrorCode.DUPLICATE_VOTER: (
        "DuplicateVoterException",
        "The voter is already part of the set of voters.",
    ),
    ErrorCode.VOTER_NOT_FOUND: (
        "VoterNotFoundException",
        "The voter is not part of the set of voters.",
    ),
    ErrorCode.INVALID_REGULAR_EXPRESSION: (
        "InvalidRegularExpression",
        "The regular expression is not valid.",
    ),
}
