"""One partition's place in the cluster: leader, in-sync replicas, fetch sessions."""
