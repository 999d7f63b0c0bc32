// Package vault knows the merchant's side: how a vault is made, joined and opened,
// how a backup becomes an entry that a quorum holds, and how files come back. It
// does not know how bytes are coded or carried (vault/object, p2p), nor what a
// member checks before it votes (ledger), and it never prints. It stands on those
// packages and assembles them by hand into a session.
package vault
