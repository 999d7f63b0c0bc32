package shardrpc_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
	"holdfast/internal/wire"
	"holdfast/p2p/shardrpc"
	"holdfast/p2p/shardrpc/shardrpctest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

var vectorFile = filepath.Join("testdata", "messages.txt")

func messages(t testing.TB) map[string][]byte {
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 100, 1)
	all := map[string][]byte{}
	for name, m := range shardrpc.Messages(ident.SumDagCBOR([]byte("vault")), s.Name(), s.Descriptor, shardrpc.Nonce{1, 2, 3}) {
		all[name] = wire.MustEncode(m)
	}
	refs, err := shardrpc.EncodeRefs([]shardrpc.Ref{s.Ref(0), s.Ref(1)})
	if err != nil {
		t.Fatal(err)
	}
	all["shards"] = refs
	all["challenges"], err = shardrpc.EncodeChallenges([]shardrpc.Challenge{{Ref: s.Ref(1), Group: 2, Shard: s.Parsed.Shards[1], Size: 50_000}})
	if err != nil {
		t.Fatal(err)
	}
	all["listed"], err = shardrpc.EncodeListed([]shardrpc.Ref{s.Ref(0), s.Ref(1)})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestVectors: the messages of docs/protocol.md, section 3, are these bytes for
// ever. With HOLDFAST_WRITE_VECTORS the file is written.
func TestVectors(t *testing.T) {
	all := messages(t)
	if os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, "%s: %x\n", name, all[name])
		}
		if err := os.WriteFile(vectorFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	if len(lines) != len(all) {
		t.Errorf("%d vectors for %d messages", len(lines), len(all))
	}
	for _, line := range lines {
		name, text, _ := strings.Cut(line, ": ")
		want, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(name, err)
		}
		if !bytes.Equal(all[name], want) {
			t.Errorf("%s is now\n%x\nand was\n%x", name, all[name], want)
		}
	}
}

func TestRefusalsBothWays(t *testing.T) {
	want := map[uint64]error{
		10: shardrpc.ErrForbidden, 11: shardrpc.ErrUnknownVault, 12: shardrpc.ErrNotFound, 13: shardrpc.ErrFull,
		14: shardrpc.ErrQuota, 15: shardrpc.ErrMismatch, 16: shardrpc.ErrCorrupt, 17: shardrpc.ErrPaused,
		18: shardrpc.ErrRange, 19: shardrpc.ErrClock, 25: shardrpc.ErrRevoked, 26: shardrpc.ErrReleased,
		1: shardrpc.ErrInternal, 2: shardrpc.ErrBadRequest, 3: shardrpc.ErrBusy,
	}
	if len(shardrpc.Refusals) != len(want) {
		t.Errorf("%d rows in the table, %d here", len(shardrpc.Refusals), len(want))
	}
	for _, row := range shardrpc.Refusals {
		if want[row.Number] != row.Err {
			t.Errorf("%d is %v, not %v", row.Number, row.Err, want[row.Number])
		}
	}
	// Over the wire they are tested by the faults of shardrpctest and by TestRefusals.
}

func TestRefs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var refs []shardrpc.Ref
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			refs = append(refs, shardrpc.Ref{
				Segment: ident.SumDagCBOR([]byte(rapid.String().Draw(t, "segment"))),
				Index:   rapid.IntRange(0, 254).Draw(t, "index")})
		}
		p, err := shardrpc.EncodeRefs(refs)
		if err != nil || len(p) != 40*len(refs) {
			t.Fatal(len(p), err)
		}
		back, err := shardrpc.ParseRefs(p)
		if err != nil || !slices.Equal(back, refs) {
			t.Fatal(back, err)
		}
	})
	for _, bad := range []shardrpc.Ref{{}, {Segment: ident.SumRaw(nil)}, {Segment: ident.SumDagCBOR(nil), Index: 255}, {Segment: ident.SumDagCBOR(nil), Index: -1}} {
		if _, err := shardrpc.EncodeRefs([]shardrpc.Ref{bad}); !errors.Is(err, shardrpc.ErrBadRequest) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestCredential(t *testing.T) {
	sign := func(s string) ident.Signed { return shardrpctest.Key("x", 0).Sign("charter", ident.CID{}, []byte(s)) }
	for _, want := range []shardrpc.Credential{
		{},
		{Grant: sign("g")},
		{Charter: sign("1")},
		{Charter: sign("1"), Grant: sign("g")},
		{Charter: sign("1"), Successors: []ident.Signed{sign("2"), sign("3")}, Grant: sign("g")},
	} {
		pieces, err := shardrpc.Greeting(ident.SumDagCBOR([]byte("vault")), want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := shardrpc.ParseCredential(!want.Grant.IsZero(), pieces[1:])
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, %v, not %v", got, err, want)
		}
	}
	if _, err := shardrpc.ParseCredential(true, nil); !errors.Is(err, shardrpc.ErrBadRequest) {
		t.Error(err)
	}
	if _, err := shardrpc.ParseCredential(false, [][]byte{{0xa0}}); !errors.Is(err, shardrpc.ErrBadRequest) {
		t.Error(err)
	}
	long := shardrpc.Credential{Charter: sign(strings.Repeat("x", 2<<20))}
	if _, err := shardrpc.Greeting(ident.SumDagCBOR(nil), long); err == nil {
		t.Error("a charter that no server takes")
	}
}

// FuzzRequest: what is accepted as a request is a message's only encoding, but for
// keys that are not known.
func FuzzRequest(f *testing.F) {
	for _, p := range messages(f) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if q := shardrpc.Parse(p); q != nil && len(q) > len(p) {
			t.Errorf("%x is read as %x", p, q)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, p := range messages(f) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) { shardrpc.ParseAnswers(p) })
}

func FuzzRefs(f *testing.F) {
	f.Add(messages(f)["shards"])
	f.Fuzz(func(t *testing.T, p []byte) {
		refs, err := shardrpc.ParseRefs(p)
		if err != nil {
			return
		}
		if q, err := shardrpc.EncodeRefs(refs); err != nil || !bytes.Equal(p, q) {
			t.Errorf("%x comes back as %x, %v", p, q, err)
		}
	})
}
