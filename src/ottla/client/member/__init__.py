"""Being a member of a classic consumer group: joining, staying, committing, leaving."""
