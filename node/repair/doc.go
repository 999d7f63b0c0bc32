// Package repair keeps every segment at its full margin without any key: it says which
// shards are lost or have to leave their holders, who is to rebuild them, from where and
// to whom, and does it from public descriptors alone. What to do is decided by Plan,
// which knows no network and no clock, so that a simulation of years runs the same code
// as a node. It does not know why a holder counts as gone (node/audit does), nor who may
// put a shard (node does); a shard that it has moved counts only when a quorum of the
// vault's members holds the new holder's receipt. It stands on ledger/custody,
// p2p/placement and erasure.
package repair
