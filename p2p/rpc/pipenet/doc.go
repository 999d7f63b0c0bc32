// Package pipenet knows a network inside one process: hosts with keys, and streams
// between them that behave as a muxer's do, with a window, deadlines, half-closing,
// and a reset that drops what was not read. It does not know any protocol, and it
// encrypts nothing; it is there for tests. It stands on the interfaces of package
// rpc.
package pipenet
