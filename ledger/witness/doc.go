// Package witness makes a lane's head a C2SP checkpoint, which outside witnesses may
// cosign, and proves that an entry is in it. It knows RFC 6962 trees and signed notes,
// and nothing of quorums: that an entry is certified is what package ledger shows. It
// stands on golang.org/x/mod/sumdb.
package witness
