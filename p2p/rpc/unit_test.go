package rpc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

var errOdd = errors.New("odd")

// oddError has something to say that travels.
type oddError struct{ n byte }

func (e oddError) Error() string { return fmt.Sprint("odd ", e.n) }
func (e oddError) Unwrap() error { return errOdd }

func TestRefusalsBothWays(t *testing.T) {
	errQuiet := errors.New("quiet")
	table := NewRefusals(
		Row{Number: 10, Err: errQuiet},
		Row{Number: 11, Err: errOdd, Explain: true,
			Pack: func(err error) []byte {
				var e oddError
				if errors.As(err, &e) {
					return []byte{e.n}
				}
				return nil
			},
			Unpack: func(p []byte) (error, error) {
				if len(p) != 1 {
					return nil, wire.ErrMalformed
				}
				return oddError{p[0]}, nil
			}},
	)
	through := func(err error) error {
		var s status
		p, number := table.pack(err, false)
		if err := wire.Decode(p, &s); err != nil || s.Status != number {
			t.Fatal(err, s.Status, number)
		}
		return table.unpack(s)
	}
	seen := map[uint64]bool{0: true}
	for _, row := range table {
		if seen[row.Number] {
			t.Errorf("number %d twice", row.Number)
		}
		seen[row.Number] = true
		got := through(fmt.Errorf("open /secret: %w", row.Err))
		if !errors.Is(got, row.Err) {
			t.Errorf("%v arrives as %v", row.Err, got)
		}
		if strings.Contains(got.Error(), "secret") != row.Explain {
			t.Errorf("explanation of %v is %q", row.Err, got)
		}
	}
	if got := through(errors.New("/secret")); !errors.Is(got, ErrInternal) || strings.Contains(got.Error(), "secret") {
		t.Errorf("an unknown error arrives as %v", got)
	}
	var odd oddError
	if got := through(oddError{7}); !errors.As(got, &odd) || odd.n != 7 {
		t.Errorf("what an error says is lost: %v", got)
	}
	if got := table.unpack(status{Status: 11, About: []byte("xx")}); !errors.Is(got, ErrProtocol) {
		t.Errorf("malformed words about a refusal: %v", got)
	}
	if got := table.unpack(status{Status: 77}); !errors.Is(got, ErrRefused) {
		t.Errorf("unknown number: %v", got)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                        "plain",
		"a\x1b[31mred\nb":              "a [31mred b",
		"\u202ereversed":               "reversed",
		strings.Repeat("é", 200):       strings.Repeat("é", 128),
		"x" + strings.Repeat("é", 200): "x" + strings.Repeat("é", 127),
	} {
		if got := printable(in); got != want {
			t.Errorf("%q becomes %q", in, got)
		}
	}
}

func TestFault(t *testing.T) {
	for _, c := range []struct{ err, want error }{
		{os.ErrDeadlineExceeded, ErrTimeout},
		{fmt.Errorf("read slice: %w", os.ErrDeadlineExceeded), ErrTimeout},
		{io.ErrUnexpectedEOF, ErrBroken},
		{wire.ErrTooLong, ErrProtocol},
		{wire.ErrMalformed, ErrProtocol},
		{fmt.Errorf("x: %w", ErrProtocol), ErrProtocol},
	} {
		if got := fault(c.err); !errors.Is(got, c.want) || !errors.Is(got, c.err) {
			t.Errorf("%v is %v", c.err, got)
		}
	}
	if fault(nil) != nil {
		t.Error("nothing is a fault")
	}
	e := &PeerError{Peer: ident.NewPrivateKey([32]byte{1}).Public(), Verb: "put", Err: ErrTimeout}
	if !errors.Is(e, ErrTimeout) || !strings.Contains(e.Error(), e.Peer.String()) {
		t.Error(e)
	}
}

// TestGate: whatever is taken and given back, no limit is ever passed, and in the
// end nothing is counted.
func TestGate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewGate(Limits{PeerRequests: 3, Requests: 5, PeerBytes: 30, Bytes: 50})
		type taken struct {
			peer     ident.PublicKey
			requests int
			bytes    int64
		}
		var held []taken
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(held) > 0 && rapid.Bool().Draw(t, "give") {
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				g.give(held[i].peer, held[i].requests, held[i].bytes)
				held = append(held[:i], held[i+1:]...)
				continue
			}
			w := taken{ident.PublicKey{byte(rapid.IntRange(1, 3).Draw(t, "peer"))},
				rapid.IntRange(0, 1).Draw(t, "requests"), rapid.Int64Range(1, 40).Draw(t, "bytes")}
			var peer, all load
			for _, h := range append(held, w) {
				all.requests += h.requests
				all.bytes += h.bytes
				if h.peer == w.peer {
					peer.requests += h.requests
					peer.bytes += h.bytes
				}
			}
			fits := peer.requests <= 3 && all.requests <= 5 && peer.bytes <= 30 && all.bytes <= 50
			if got := g.take(w.peer, w.requests, w.bytes); got != fits {
				t.Fatalf("take %v of %v is %v", w, held, got)
			}
			if fits {
				held = append(held, w)
			}
		}
		for _, h := range held {
			g.give(h.peer, h.requests, h.bytes)
		}
		if g.all != (load{}) || len(g.peers) != 0 {
			t.Fatalf("%v, %d peers are left", g.all, len(g.peers))
		}
	})
}
