// Package audit knows how members watch the holders of their vaults: when to ask whom
// for what, what an answer proves, when a shard is missing and a holder gone, and what
// weight a holder deserves. It does not know how holders are reached, who may ask, or
// what is done about a loss: that is its Peers, the node, and package node/repair. It
// stands on ledger/custody for what a holder must have, on p2p/shardrpc for what is
// asked, and on bbolt for what is remembered.
package audit
