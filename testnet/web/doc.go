// Package web knows how to show a test network in a browser, and to break and heal it
// from there. It does not know how a network works: it looks at it once a second, and
// shows what the nodes say. It stands on package testnet, and listens on loopback
// alone, behind a secret in the address.
package web
