"""The fields of stored records in the order Kafka tells them, for showing them as JSON.

A line per struct; `Record.Struct` is a struct inside a record. After a field's name stands what is
unusual about it: `:uuid`, `@3` or `@1-1` the versions it is in, `#0` for a field that is left out
where it is empty (`#null`: null, `#-1`: that number, `#struct`: a struct without contents), `>` the
struct it holds.

Made from `schema/stored/`; a test compares the two. Elsewhere: who reads it, `stored_json.py`.
"""

from typing import Final

LAYOUTS: Final = """\
ConsumerProtocolAssignment: assigned_partitions>TopicPartition user_data
ConsumerProtocolAssignment.TopicPartition: topic partitions
ConsumerProtocolSubscription: topics user_data owned_partitions@1>TopicPartition generation_id@2
    rack_id@3
ConsumerProtocolSubscription.TopicPartition: topic partitions
KRaftVersionRecord: version kraft_version
LeaderChangeMessage: version leader_id voters>Voter granting_voters>Voter
LeaderChangeMessage.Voter: voter_id voter_directory_id:uuid@1
SnapshotFooterRecord: version
SnapshotHeaderRecord: version last_contained_log_timestamp
VotersRecord: version voters>Voter
VotersRecord.Voter: voter_id voter_directory_id:uuid endpoints>Endpoint
    kraft_version_feature>KRaftVersionFeature
VotersRecord.Endpoint: name host port
VotersRecord.KRaftVersionFeature: min_supported_version max_supported_version
ConsumerGroupCurrentMemberAssignmentKey: group_id member_id
ConsumerGroupCurrentMemberAssignmentValue: member_epoch previous_member_epoch state
    assigned_partitions>TopicPartitions partitions_pending_revocation>TopicPartitions
ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions: topic_id:uuid partitions
    assignment_epochs#null
ConsumerGroupMemberMetadataKey: group_id member_id
ConsumerGroupMemberMetadataValue: instance_id rack_id client_id client_host
    subscribed_topic_names subscribed_topic_regex rebalance_timeout_ms server_assignor
    classic_member_metadata#struct>ClassicMemberMetadata
ConsumerGroupMemberMetadataValue.ClassicMemberMetadata: session_timeout_ms
    supported_protocols>ClassicProtocol
ConsumerGroupMemberMetadataValue.ClassicProtocol: name metadata
ConsumerGroupMetadataKey: group_id
ConsumerGroupMetadataValue: epoch metadata_hash#0
ConsumerGroupPartitionMetadataKey: group_id
ConsumerGroupPartitionMetadataValue: topics>TopicMetadata
ConsumerGroupPartitionMetadataValue.TopicMetadata: topic_id:uuid topic_name num_partitions
    partition_metadata>PartitionMetadata
ConsumerGroupPartitionMetadataValue.PartitionMetadata: partition racks
ConsumerGroupRegularExpressionKey: group_id regular_expression
ConsumerGroupRegularExpressionValue: topics version timestamp
ConsumerGroupTargetAssignmentMemberKey: group_id member_id
ConsumerGroupTargetAssignmentMemberValue: topic_partitions>TopicPartition
ConsumerGroupTargetAssignmentMemberValue.TopicPartition: topic_id:uuid partitions
ConsumerGroupTargetAssignmentMetadataKey: group_id
ConsumerGroupTargetAssignmentMetadataValue: assignment_epoch assignment_timestamp#0
GroupMetadataKey: group
GroupMetadataValue: protocol_type generation protocol leader current_state_timestamp@2
    members>MemberMetadata
GroupMetadataValue.MemberMetadata: member_id group_instance_id@3 client_id client_host
    rebalance_timeout@1 session_timeout subscription assignment
LegacyOffsetCommitKey: group topic partition
LegacyOffsetCommitValue: offset metadata commit_timestamp
OffsetCommitKey: group topic partition
OffsetCommitValue: offset leader_epoch@3 metadata commit_timestamp expire_timestamp@1-1
    topic_id:uuid@4#0
ShareGroupCurrentMemberAssignmentKey: group_id member_id
ShareGroupCurrentMemberAssignmentValue: member_epoch previous_member_epoch state
    assigned_partitions>TopicPartitions
ShareGroupCurrentMemberAssignmentValue.TopicPartitions: topic_id:uuid partitions
ShareGroupMemberMetadataKey: group_id member_id
ShareGroupMemberMetadataValue: rack_id client_id client_host subscribed_topic_names
ShareGroupMetadataKey: group_id
ShareGroupMetadataValue: epoch metadata_hash
ShareGroupPartitionMetadataKey: group_id
ShareGroupPartitionMetadataValue: initialized_topics>TopicPartitionsInfo
    deleting_topics>TopicInfo
ShareGroupPartitionMetadataValue.TopicPartitionsInfo: topic_id:uuid topic_name partitions
ShareGroupPartitionMetadataValue.TopicInfo: topic_id:uuid topic_name
ShareGroupStatePartitionMetadataKey: group_id
ShareGroupStatePartitionMetadataValue: initializing_topics>TopicPartitionsInfo
    initialized_topics>TopicPartitionsInfo deleting_topics>TopicInfo
ShareGroupStatePartitionMetadataValue.TopicPartitionsInfo: topic_id:uuid topic_name partitions
ShareGroupStatePartitionMetadataValue.TopicInfo: topic_id:uuid topic_name
ShareGroupTargetAssignmentMemberKey: group_id member_id
ShareGroupTargetAssignmentMemberValue: topic_partitions>TopicPartition
ShareGroupTargetAssignmentMemberValue.TopicPartition: topic_id:uuid partitions
ShareGroupTargetAssignmentMetadataKey: group_id
ShareGroupTargetAssignmentMetadataValue: assignment_epoch assignment_timestamp#0
StreamsGroupCurrentMemberAssignmentKey: group_id member_id
StreamsGroupCurrentMemberAssignmentValue: member_epoch previous_member_epoch state
    active_tasks>TaskIds standby_tasks>TaskIds warmup_tasks>TaskIds
    active_tasks_pending_revocation>TaskIds standby_tasks_pending_revocation>TaskIds
    warmup_tasks_pending_revocation>TaskIds
StreamsGroupCurrentMemberAssignmentValue.TaskIds: subtopology_id partitions
    assignment_epochs#null
StreamsGroupMemberMetadataKey: group_id member_id
StreamsGroupMemberMetadataValue: instance_id rack_id client_id client_host rebalance_timeout_ms
    topology_epoch process_id user_endpoint>Endpoint client_tags>KeyValue
StreamsGroupMemberMetadataValue.Endpoint: host port
StreamsGroupMemberMetadataValue.KeyValue: key value
StreamsGroupMetadataKey: group_id
StreamsGroupMetadataValue: epoch metadata_hash validated_topology_epoch#-1
    last_assignment_configs#null>LastAssignmentConfig stored_description_topology_epoch#-1
    failed_description_topology_epoch#-1
StreamsGroupMetadataValue.LastAssignmentConfig: key value
StreamsGroupTargetAssignmentMemberKey: group_id member_id
StreamsGroupTargetAssignmentMemberValue: active_tasks>TaskIds standby_tasks>TaskIds
    warmup_tasks>TaskIds
StreamsGroupTargetAssignmentMemberValue.TaskIds: subtopology_id partitions
StreamsGroupTargetAssignmentMetadataKey: group_id
StreamsGroupTargetAssignmentMetadataValue: assignment_epoch assignment_timestamp#0
StreamsGroupTopologyKey: group_id
StreamsGroupTopologyValue: epoch subtopologies>Subtopology
StreamsGroupTopologyValue.Subtopology: subtopology_id source_topics source_topic_regex
    state_changelog_topics>TopicInfo repartition_sink_topics repartition_source_topics>TopicInfo
    copartition_groups>CopartitionGroup
StreamsGroupTopologyValue.TopicInfo: name partitions replication_factor
    topic_configs>TopicConfig
StreamsGroupTopologyValue.TopicConfig: key value
StreamsGroupTopologyValue.CopartitionGroup: source_topics source_topic_regex
    repartition_source_topics
AbortTransactionRecord: reason#null
AccessControlEntryRecord: id:uuid resource_type resource_name pattern_type principal host
    operation permission_type
BeginTransactionRecord: name#null
BrokerRegistrationChangeRecord: broker_id broker_epoch fenced#0 in_controlled_shutdown@1#0
    log_dirs:uuid@2#0 cordoned_log_dirs:uuid@3#null
ClearElrRecord: topic_name
ClientQuotaRecord: entity>EntityData key value remove
ClientQuotaRecord.EntityData: entity_type entity_name
ConfigRecord: resource_type resource_name name value
DelegationTokenRecord: owner requester renewers issue_timestamp max_timestamp
    expiration_timestamp token_id
EndTransactionRecord:
FeatureLevelRecord: name feature_level
FenceBrokerRecord: id epoch
NoOpRecord:
PartitionChangeRecord: partition_id topic_id:uuid isr#null leader#-2 replicas#null
    removing_replicas#null adding_replicas#null leader_recovery_state#-1 directories:uuid@1#null
    eligible_leader_replicas@2#null last_known_elr@2#null
PartitionRecord: partition_id topic_id:uuid replicas isr removing_replicas adding_replicas
    leader leader_recovery_state#0 leader_epoch partition_epoch directories:uuid@1
    eligible_leader_replicas@2#null last_known_elr@2#null
ProducerIdsRecord: broker_id broker_epoch next_producer_id
RegisterBrokerRecord: broker_id is_migrating_zk_broker@2 incarnation_id:uuid broker_epoch
    end_points>BrokerEndpoint features>BrokerFeature rack fenced in_controlled_shutdown@1
    log_dirs:uuid@3#0 cordoned_log_dirs:uuid@4#null
RegisterBrokerRecord.BrokerEndpoint: name host port security_protocol
RegisterBrokerRecord.BrokerFeature: name min_supported_version max_supported_version
RegisterControllerRecord: controller_id incarnation_id:uuid zk_migration_ready
    end_points>ControllerEndpoint features>ControllerFeature
RegisterControllerRecord.ControllerEndpoint: name host port security_protocol
RegisterControllerRecord.ControllerFeature: name min_supported_version max_supported_version
RemoveAccessControlEntryRecord: id:uuid
RemoveDelegationTokenRecord: token_id
RemoveTopicRecord: topic_id:uuid
RemoveUserScramCredentialRecord: name mechanism
TopicRecord: name topic_id:uuid
UnfenceBrokerRecord: id epoch
UnregisterBrokerRecord: broker_id broker_epoch
UnregisterControllerRecord: controller_id
UserScramCredentialRecord: name mechanism salt stored_key server_key iterations
ZkMigrationStateRecord: zk_migration_state
ShareSnapshotKey: group_id topic_id:uuid partition
ShareSnapshotValue: snapshot_epoch state_epoch leader_epoch start_offset
    delivery_complete_count#-1 create_timestamp write_timestamp state_batches>StateBatch
ShareSnapshotValue.StateBatch: first_offset last_offset delivery_state delivery_count
ShareUpdateKey: group_id topic_id:uuid partition
ShareUpdateValue: snapshot_epoch leader_epoch start_offset delivery_complete_count#-1
    state_batches>StateBatch
ShareUpdateValue.StateBatch: first_offset last_offset delivery_state delivery_count
TransactionLogKey: transactional_id
TransactionLogValue: producer_id previous_producer_id@1#-1 next_producer_id@1#-1 producer_epoch
    next_producer_epoch@1#-1 transaction_timeout_ms transaction_status
    transaction_partitions>PartitionsSchema transaction_last_update_timestamp_ms
    transaction_start_timestamp_ms client_transaction_version@1#0
TransactionLogValue.PartitionsSchema: topic partition_ids
"""
