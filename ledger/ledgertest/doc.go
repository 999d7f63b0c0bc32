// Package ledgertest builds small, valid vaults for tests: members with all their
// keys, lanes that grow, commits with receipts, votes and certificates. It does not
// judge anything and it holds no member's memory; keys come from names, so what it
// builds is the same every time. It stands on ledger and panics where a test would
// fail.
package ledgertest
