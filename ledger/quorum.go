package ledger

// Faults returns f, the number of arbitrary liars among n voters that the ledger
// withstands.
//
// SPEC: f = floor((n-1)/3)
func Faults(n int) int { return (n - 1) / 3 }

// Quorum returns q, the number of votes that make a certificate and of acks that
// make it final. It is always more than half of n; two quorums share an honest
// voter; and q <= n-f.
//
// SPEC: q = ceil((n+f+1)/2)
func Quorum(n int) int { return (n + Faults(n) + 2) / 2 }

// Unhidden returns how many members must answer for the newest head among the
// answers to be the newest, unless a member that answers hides it: n-q+1.
func Unhidden(n int) int { return n - Quorum(n) + 1 }

// Proven returns how many members must answer for the newest head among the
// answers to be proven the newest: n-q+f+1. So many answers are also needed to
// prove that something is in no certificate.
func Proven(n int) int { return Unhidden(n) + Faults(n) }

// Freshness is how sure a reader is that it has seen the newest head.
type Freshness int

// The levels, from the least sure.
const (
	FreshUnknown Freshness = iota
	FreshUnlessHidden
	FreshProven
)

// String returns the words that people are shown.
func (f Freshness) String() string {
	switch f {
	case FreshProven:
		return "proven"
	case FreshUnlessHidden:
		return "newest unless hidden"
	default:
		return "unknown"
	}
}

// Judge returns how sure a reader is after answers of that many of n members.
func Judge(n, answers int) Freshness {
	switch {
	case n < 1 || answers < Unhidden(n):
		return FreshUnknown
	case answers < Proven(n):
		return FreshUnlessHidden
	default:
		return FreshProven
	}
}
