// Package p2p knows how programs of one network find and reach each other: a
// libp2p host with limits, streams between keys, the hello in which nodes show
// their certificates, a directory of nodes, and a DHT of the network's own. It
// does not know what travels over a stream, whom a vault trusts, or what is newest:
// everything that it learns from others is a hint until a key has signed it. It
// stands on go-libp2p and go-libp2p-kad-dht, which nothing outside p2p imports,
// and on ledger for the structures that are signed.
//
// Only TCP is spoken, with TLS 1.3 and yamux. QUIC is left out in this version: its
// transport opens sockets beside the addresses that are listed, and costs three
// times the CPU for each byte. There is no port mapping, no relay, no multicast
// discovery, no probing of reachability, and no list of public bootstrap nodes.
package p2p
