// Package member is the memory of one member: for each vault that it has accepted,
// the entries with their bodies and certificates, and what it has voted for. It
// knows that a lock is on the disk before a vote is signed, and an entry before an
// ack; it does not know a network, nor who may ask, nor any key that opens what it
// keeps. It stands on ledger for every rule, on bbolt for the locks, the index and what
// was promised last, and on internal/atomicfile for the files that all of it but the
// locks can be rebuilt from.
package member
