// Package shardrpctest knows what every holder must do, as a suite, and offers a
// network of holders inside one process that behave, or misbehave when they are
// told to. The requests go through the real client and the real server, over
// package pipenet instead of a network. It stands on store/mem; it is there for
// tests.
package shardrpctest
