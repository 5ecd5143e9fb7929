"""The agent beside the edge's proxy: holds requests against contracts, and brings new routes without losing one."""
