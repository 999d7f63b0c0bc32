// Package ledgerrpc knows the ledger protocol: how readers ask a member for
// charters, heads, links and bodies, and how writers have entries voted for and
// certified, as a client and as a server. It judges no signature and no right: what
// a member answers is verified by who asked, and who may ask is decided by whoever
// serves. It stands on package rpc and takes limits and refusals from package
// ledger; the messages are those of docs/protocol.md, section 4.
package ledgerrpc
