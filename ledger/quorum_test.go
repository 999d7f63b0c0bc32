package ledger_test

import (
	"testing"

	"holdfast/ledger"
)

// The numbers of the design; f and q are written out, not computed.
func TestQuorumTable(t *testing.T) {
	for _, c := range []struct{ n, f, q, unhidden, proven int }{
		{1, 0, 1, 1, 1}, {2, 0, 2, 1, 1}, {3, 0, 2, 2, 2},
		{4, 1, 3, 2, 3}, {5, 1, 4, 2, 3}, {6, 1, 4, 3, 4},
		{7, 2, 5, 3, 5}, {8, 2, 6, 3, 5}, {9, 2, 6, 4, 6},
		{10, 3, 7, 4, 7}, {11, 3, 8, 4, 7}, {12, 3, 8, 5, 8},
		{13, 4, 9, 5, 9}, {14, 4, 10, 5, 9}, {15, 4, 10, 6, 10},
		{16, 5, 11, 6, 11}, {17, 5, 12, 6, 11}, {18, 5, 12, 7, 12},
		{19, 6, 13, 7, 13}, {20, 6, 14, 7, 13},
	} {
		got := [...]int{ledger.Faults(c.n), ledger.Quorum(c.n), ledger.Unhidden(c.n), ledger.Proven(c.n)}
		if want := [...]int{c.f, c.q, c.unhidden, c.proven}; got != want {
			t.Errorf("n = %d: f, q, unhidden, proven = %v, want %v", c.n, got, want)
		}
	}
}

// What the numbers are for, for every size a charter may have.
func TestQuorumLaws(t *testing.T) {
	for n := 1; n <= ledger.MaxMembers; n++ {
		f, q := ledger.Faults(n), ledger.Quorum(n)
		if 2*q <= n {
			t.Errorf("n = %d: a quorum of %d is no majority", n, q)
		}
		if 2*q-n < f+1 {
			t.Errorf("n = %d: two quorums of %d need not share an honest voter", n, q)
		}
		if q > n-f {
			t.Errorf("n = %d: %d silent members stop everything", n, f)
		}
		// Any so many answers share an honest member with every quorum of acks.
		if p := ledger.Proven(n); p+q-n < f+1 || p > n {
			t.Errorf("n = %d: %d answers prove nothing", n, p)
		}
		if u := ledger.Unhidden(n); u+q-n < 1 {
			t.Errorf("n = %d: %d answers may miss a quorum", n, u)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		n, answers int
		want       string
	}{
		{0, 0, "unknown"}, {1, 0, "unknown"}, {1, 1, "proven"},
		{4, 0, "unknown"}, {4, 1, "unknown"}, {4, 2, "newest unless hidden"}, {4, 3, "proven"}, {4, 4, "proven"},
		{7, 2, "unknown"}, {7, 3, "newest unless hidden"}, {7, 4, "newest unless hidden"}, {7, 5, "proven"},
	} {
		if got := ledger.Judge(c.n, c.answers).String(); got != c.want {
			t.Errorf("%d answers of %d: %s, want %s", c.answers, c.n, got, c.want)
		}
	}
}
