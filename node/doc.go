// Package node knows the operator's side: it offers one volume's space to vaults,
// keeps the shards and the ledgers that they entrust to it, and signs for both. It
// holds no key that opens anything: its import closure has no decryption code, and a
// test proves it. It stands on p2p, store/disk and ledger/member, and assembles
// them by hand in Open.
package node
