// Package testnet knows how to put a whole network into a box: nodes as real
// processes or in this one, behind the same handle, to be started, broken, healed and
// looked at. It does not know how a node works; it only uses what the shipped program
// is assembled with. It stands on node and, for real processes, on the program itself.
package testnet
