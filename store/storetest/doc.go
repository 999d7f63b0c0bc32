// Package storetest knows how every shelf of shards has to behave: a conformance
// suite for implementations of store.Shelf, segments to fill one with, and a
// decorator that injects faults into one. It does not know any implementation. It
// stands on the standard library's testing and on rapid.
package storetest
