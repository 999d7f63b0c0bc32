// Package sim plays years of a network in seconds: disks die, operators leave, zones
// burn, a version destroys what it stores, and members repair. Who holds what is
// decided by the program's own placement, custody and repair planning; only what
// they would learn from a network is made up here. It does not know how bytes are
// read, sent or checked. A history has no goroutine in it: the same seed gives the same
// one. It stands on p2p/placement, ledger/custody and node/repair.
package sim
