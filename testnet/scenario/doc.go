// Package scenario knows what befalls merchants and operators in a hostile year:
// machines that are killed and held, disks that are wiped, filled or corrupt, caches
// that are lost. It drives the shipped program against a network of testnet, keeps a
// copy of every tree that was acknowledged, and compares what comes back; its tests
// are one scenario each, and Soak is all of them at random. It knows nothing of how a
// backup works: it sees the program's JSON lines and exit codes, and files. It stands
// on testnet.
package scenario
