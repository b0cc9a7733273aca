"""A client of etcd's v3 API: keys, transactions, leases and watches, over several members."""
