// Package archtest holds the program to docs/architecture.md: it compares the table
// of who may import whom with what the go command says. It does not know why a rule
// is there, and no program imports it. It stands on go list.
package archtest
