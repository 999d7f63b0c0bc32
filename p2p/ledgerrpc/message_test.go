package ledgerrpc_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc"
)

var vectorFile = filepath.Join("testdata", "messages.txt")

func messages() map[string][]byte {
	all := map[string][]byte{}
	for name, m := range ledgerrpc.Messages(vault, ident.SumDagCBOR([]byte("name")), lane, object("grant")) {
		all[name] = wire.MustEncode(m)
	}
	return all
}

// TestVectors: the messages of docs/protocol.md, section 4, are these bytes for
// ever. With HOLDFAST_WRITE_VECTORS the file is written.
func TestVectors(t *testing.T) {
	all := messages()
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

// FuzzRequest: what is accepted as a request is a message's only encoding, but for
// keys that are not known.
func FuzzRequest(f *testing.F) {
	for _, p := range messages() {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if q := ledgerrpc.Parse(p); q != nil && len(q) > len(p) {
			t.Errorf("%x is read as %x", p, q)
		}
	})
}

func FuzzHead(f *testing.F) {
	f.Add(messages()["about a head"])
	f.Add(messages()["about an empty lane"])
	f.Fuzz(func(t *testing.T, p []byte) {
		if q, err := ledgerrpc.ParseHead(p); err == nil && len(q) > len(p) {
			t.Errorf("%x is read as %x", p, q)
		}
	})
}

func FuzzSegments(f *testing.F) {
	p, err := ledgerrpc.EncodeSegments([]ident.CID{vault, vault})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		segments, err := ledgerrpc.ParseSegments(p)
		if err != nil {
			return
		}
		if q, err := ledgerrpc.EncodeSegments(segments); err != nil || !bytes.Equal(p, q) {
			t.Errorf("%x comes back as %x, %v", p, q, err)
		}
	})
}

func FuzzShards(f *testing.F) {
	p, err := ledgerrpc.EncodeShards([]ledger.ShardName{{Segment: vault}, {Segment: vault, Index: 254}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		shards, err := ledgerrpc.ParseShards(p)
		if err != nil {
			return
		}
		if q, err := ledgerrpc.EncodeShards(shards); err != nil || !bytes.Equal(p, q) {
			t.Errorf("%x comes back as %x, %v", p, q, err)
		}
	})
}

// scripted is a stream from which fixed bytes are read.
type scripted struct {
	in    io.Reader
	mu    sync.Mutex
	wrote bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *scripted) CloseWrite() error                { return nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) Reset()                           {}
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }
func (s *scripted) Remote() ident.PublicKey          { return key(3).Public() }

func (s *scripted) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrote.Write(p)
}

// catch takes the handler that Serve registers.
type catch struct {
	handle func(context.Context, rpc.Stream)
}

func (c *catch) Handle(_ string, f func(context.Context, rpc.Stream)) { c.handle = f }

// script has a member read bytes, and returns the statuses of its answers. Parts
// behind them end the reading.
func script(t *testing.T, f *fake, p []byte) []uint64 {
	var c catch
	ledgerrpc.Serve(&c, ledgerrpc.Config{Reader: f, Voter: f, Witness: f, Placer: f, Auditor: f, Counter: f, Successor: f, Docket: f, Releaser: f, Undoer: f, Admit: f.Admit})
	s := &scripted{in: bytes.NewReader(p)}
	c.handle(t.Context(), s)
	var out []uint64
	for r := bufio.NewReader(&s.wrote); ; {
		p, err := wire.ReadFrame(r, rpc.MaxFrame)
		var a struct {
			Status uint64 `cbor:"status"`
		}
		if err != nil || wire.Decode(p, &a) != nil {
			return out
		}
		out = append(out, a.Status)
	}
}

func frames(ps ...[]byte) []byte {
	var out []byte
	for _, p := range ps {
		out = wire.AppendFrame(out, p)
	}
	return slices.Clip(out)
}

func TestStates(t *testing.T) {
	m := messages()
	short := func(op string, lengths ...uint64) []byte {
		return wire.MustEncode(struct {
			Op    string    `cbor:"op"`
			Vault ident.CID `cbor:"vault"`
			Parts []uint64  `cbor:"parts,omitempty"`
		}{op, vault, lengths})
	}
	for name, c := range map[string]struct {
		script []byte
		want   string
	}{
		"nothing":                  {nil, "[]"},
		"unknown verb":             {frames(short("drop")), "[2]"},
		"no map":                   {frames([]byte{1}), "[2]"},
		"unknown vault, twice":     {frames(m["charters"], m["charters"]), "[11 11]"},
		"no such body, then more":  {frames(m["body"], m["charters"]), "[12 11]"},
		"propose without parts":    {frames(short("propose")), "[2]"},
		"propose, a part too many": {frames(short("propose", 1, 1, 1, 1)), "[2]"},
		"propose, huge entry":      {frames(short("propose", 1, 1<<20, 1)), "[2]"},
		"propose, huge body":       {frames(short("propose", 1, 1, 1<<40)), "[2]"},
		"propose, garbage":         {append(frames(short("propose", 2, 2, 2)), 1, 2, 3, 4, 5, 6), "[2]"},
		"propose, cut off":         {append(frames(short("propose", 2, 2, 2)), 1, 2, 3, 4, 5), "[]"},
		"adopt":                    {append(frames(short("adopt", 2, 2)), 1, 2, 3, 4), "[0]"},
		"adopt, adopt":             {append(append(frames(short("adopt", 1)), 1), frames(short("adopt", 0, 0))...), "[2]"},
		"segments, no rows":        {append(frames(m["segments"]), make([]byte, 72)...), "[2]"},
		"links from zero":          {frames(bytes.Replace(m["links"], []byte("dfrom\x01"), []byte("dfrom\x00"), 1)), "[2]"},
	} {
		if got := fmt.Sprint(script(t, newFake(), c.script)); got != c.want {
			t.Errorf("%s: answers are %s, not %s", name, got, c.want)
		}
	}
}

// FuzzServer: no bytes of a client stop the server from ending the stream.
func FuzzServer(f *testing.F) {
	for _, p := range messages() {
		f.Add(append(frames(p), make([]byte, 2000)...))
	}
	f.Fuzz(func(t *testing.T, p []byte) { script(t, newFake(), p) })
}

type oneStream []byte

func (o oneStream) Open(context.Context, ident.PublicKey, string) (rpc.Stream, error) {
	return &scripted{in: bytes.NewReader(o)}, nil
}

// FuzzMember: whatever a member answers, every verb ends, and what has a name is
// given out only if it bears it.
func FuzzMember(f *testing.F) {
	body := []byte("body")
	with := func(parts ...[]byte) []byte {
		p := frames(wire.MustEncode(struct {
			Status uint64   `cbor:"status"`
			Parts  []uint64 `cbor:"parts"`
		}{0, rpc.Lengths(parts)}))
		return append(p, bytes.Join(parts, nil)...)
	}
	f.Add(with(body))
	f.Add(with(wire.MustEncode(object("1"))))
	f.Add(with(wire.MustEncode(object("1")), wire.MustEncode(object("2"))))
	f.Add(frames(messages()["answer"]))
	f.Add(with(body)[:3])
	f.Fuzz(func(t *testing.T, said []byte) {
		c := ledgerrpc.NewClient(oneStream(said), ledgerrpc.Limits{})
		defer c.Close()
		m := c.Member(key(1).Public(), ident.Signed{})
		everything(t, m)
		if p, err := m.Body(t.Context(), vault, ident.SumDagCBOR(body)); err == nil && !bytes.Equal(p, body) {
			t.Errorf("body is %x", p)
		}
		if l, err := m.Charters(t.Context(), object("1").CID()); err == nil && l[0].CID() != object("1").CID() {
			t.Error(l)
		}
	})
}
