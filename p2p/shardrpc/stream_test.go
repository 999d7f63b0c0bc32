package shardrpc_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/p2p/rpc"
	"holdfast/p2p/rpc/pipenet"
	"holdfast/p2p/shardrpc"
	"holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/store"
	"holdfast/store/mem"
)

// catch takes the handler that Serve registers.
type catch struct {
	handle func(context.Context, rpc.Stream)
}

func (c *catch) Handle(protocol string, f func(context.Context, rpc.Stream)) {
	if protocol == shardrpc.Protocol {
		c.handle = f
	}
}

func handler(b shardrpc.Backend, l shardrpc.Limits) func(context.Context, rpc.Stream) {
	var c catch
	shardrpc.Serve(&c, b, l)
	return c.handle
}

// scripted is a stream from which fixed bytes are read.
type scripted struct {
	in    io.Reader
	wrote bytes.Buffer
	mu    sync.Mutex
}

func (s *scripted) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *scripted) CloseWrite() error                { return nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) Reset()                           {}
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }
func (s *scripted) Remote() ident.PublicKey          { return shardrpctest.Key("x", 0).Public() }

func (s *scripted) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrote.Write(p)
}

func frames(ps ...[]byte) []byte {
	var out []byte
	for _, p := range ps {
		out = wire.AppendFrame(out, p)
	}
	return slices.Clip(out)
}

func memory() *shardrpctest.Backend {
	return &shardrpctest.Backend{Shelf: mem.New(1 << 20), Node: shardrpctest.Key("node", 0).Public(),
		Vote: shardrpctest.Key("vote", 0), Network: "test-x", Now: time.Now}
}

// statuses are those of the answers that the server gives to a script.
func statuses(t *testing.T, script []byte) []uint64 {
	s := &scripted{in: bytes.NewReader(script)}
	handler(memory(), shardrpc.Limits{})(t.Context(), s)
	var out []uint64
	for r := bufio.NewReader(&s.wrote); ; {
		p, err := wire.ReadFrame(r, rpc.MaxFrame)
		if err == io.EOF {
			return out
		}
		var a struct {
			Status uint64 `cbor:"status"`
		}
		if err := wire.Decode(p, &a); err != nil {
			t.Fatal(err)
		}
		out = append(out, a.Status)
	}
}

func TestStates(t *testing.T) {
	m := messages(t)
	auth := frames(m["auth, nothing"])
	row := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 100, 1).Rows[1]
	for name, c := range map[string]struct {
		script []byte
		want   string
	}{
		"nothing":    {nil, "[]"},
		"only auth":  {auth, "[0]"},
		"no auth":    {frames(m["info"]), "[2]"},
		"auth twice": {append(auth, auth...), "[0 2]"},
		"unknown verb": {append(auth, frames(wire.MustEncode(struct {
			Op string `cbor:"op"`
		}{"drop"}))...), "[0 2]"},
		"no map":                {append(auth, frames([]byte{0x01})...), "[0 2]"},
		"not canonical":         {append(auth, frames([]byte{0xb8, 1, 0x62, 'o', 'p', 0x63, 'g', 'e', 't'})...), "[0 2]"},
		"frame cut off":         {append(auth, 50, 1, 2), "[0]"},
		"huge frame":            {append(auth, 0xff, 0xff, 0xff, 0xff, 0x7f), "[0]"},
		"put":                   {append(append(auth, frames(m["put"])...), row...), "[0 0]"},
		"put, row cut off":      {append(append(auth, frames(m["put"])...), row[:50]...), "[0]"},
		"put, wrong row":        {append(append(auth, frames(m["put"])...), make([]byte, 100)...), "[0 15]"},
		"put, get":              {append(append(append(auth, frames(m["put"])...), row...), frames(m["get"])...), "[0 0 12]"},
		"get nothing, go on":    {append(auth, frames(m["get"], m["get"])...), "[0 12 12]"},
		"has":                   {append(append(auth, frames(m["has"])...), m["shards"]...), "[0 0]"},
		"has, rows cut off":     {append(append(auth, frames(m["has"])...), m["shards"][:79]...), "[0]"},
		"has, no rows":          {append(append(auth, frames(m["has"])...), make([]byte, 80)...), "[0 2]"},
		"receipt of nothing":    {append(append(auth, frames(m["receipt"])...), m["shards"]...), "[0 12]"},
		"auth, parts cut off":   {frames(m["auth"]), "[]"},
		"auth with other bytes": {append(frames(m["auth"]), make([]byte, 2300)...), "[2]"},
	} {
		if got := fmt.Sprint(statuses(t, c.script)); got != c.want {
			t.Errorf("%s: answers are %s, not %s", name, got, c.want)
		}
	}
}

// FuzzServer: no bytes of a client stop the server from ending the stream.
func FuzzServer(f *testing.F) {
	m := messages(f)
	auth := frames(m["auth, nothing"])
	row := shardrpctest.NewSegment(f, erasure.Code{K: 1, N: 2}, 100, 1).Rows[1]
	f.Add(append(append(auth, frames(m["put"])...), row...))
	f.Add(append(append(auth, frames(m["has"])...), m["shards"]...))
	f.Add(append(append(auth, frames(m["receipt"])...), m["shards"]...))
	f.Add(append(auth, frames(m["get"], m["range"], m["info"])...))
	f.Add(append(frames(m["auth"]), make([]byte, 2300)...))
	f.Fuzz(func(t *testing.T, script []byte) {
		handler(memory(), shardrpc.Limits{})(t.Context(), &scripted{in: bytes.NewReader(script)})
	})
}

// oneStream opens streams that answer with fixed bytes.
type oneStream []byte

func (o oneStream) Open(context.Context, ident.PublicKey, string) (rpc.Stream, error) {
	return &scripted{in: bytes.NewReader(o)}, nil
}

// FuzzClient: whatever a holder answers, every verb ends, and bytes are given out
// only if they are the right ones.
func FuzzClient(f *testing.F) {
	s := shardrpctest.NewSegment(f, erasure.Code{K: 1, N: 2}, 100, 1)
	m := messages(f)
	yes := m["yes"]
	size := wire.MustEncode(struct {
		Status uint64 `cbor:"status"`
		Size   uint64 `cbor:"size"`
	}{0, 100})
	f.Add(append(frames(yes, size), s.Rows[0]...))
	f.Add(append(frames(yes, size), make([]byte, 100)...))
	f.Add(append(frames(yes, yes), make([]byte, 108)...))
	f.Add(frames(yes, m["has, answer"]))
	f.Add(append(frames(yes, m["receipt, answer"]), make([]byte, 600)...))
	f.Add(frames(yes, m["info, answer"]))
	f.Fuzz(func(t *testing.T, said []byte) {
		c := shardrpc.NewClient(oneStream(said), shardrpc.Limits{})
		defer c.Close()
		h := c.Holder(shardrpctest.Key("x", 0).Public(), ident.SumDagCBOR([]byte("vault")), shardrpc.Credential{})
		_ = h.Put(t.Context(), shardrpc.Nonce{}, 0, s.Descriptor, s.Rows[0])
		if got, err := h.Get(t.Context(), s.Ref(0), s.Parsed.Shards[0], 100, nil); err == nil && !bytes.Equal(got, s.Rows[0]) {
			t.Errorf("get gives out %x", got)
		}
		if got, err := h.Range(t.Context(), s.Ref(0), s.Parsed.Shards[0], 100, 7, 20, nil); err == nil && !bytes.Equal(got, s.Rows[0][7:27]) {
			t.Errorf("range gives out %x", got)
		}
		if has, err := h.Has(t.Context(), []shardrpc.Ref{s.Ref(0), s.Ref(1)}); err == nil && len(has) != 2 {
			t.Error(has)
		}
		_, _ = h.Receipt(t.Context(), shardrpc.Nonce{}, []shardrpc.Ref{s.Ref(0)})
		if i, err := h.Info(t.Context()); err == nil && (i.Capacity < 0 || i.Free < 0 || i.Network == "") {
			t.Error(i)
		}
	})
}

// refusing is a backend that refuses a row from its header alone.
type refusing struct {
	shardrpc.Session
	err error
}

func (r refusing) Open(context.Context, ident.PublicKey, ident.CID, shardrpc.Credential) (shardrpc.Session, error) {
	return r, nil
}

func (r refusing) Put(context.Context, shardrpc.Nonce, int, []byte, io.Reader) error { return r.err }

// TestEarlyRefusal: a row that is refused from its header does not travel.
func TestEarlyRefusal(t *testing.T) {
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 32<<20, 1)
	for _, want := range []error{shardrpc.ErrFull, shardrpc.ErrForbidden, shardrpc.ErrPaused, shardrpc.ErrQuota} {
		net := pipenet.New()
		node, device := shardrpctest.Key("node", 0).Public(), shardrpctest.Key("device", 0).Public()
		host := net.Host(node)
		count := &counting{Registrar: host}
		shardrpc.Serve(count, refusing{err: fmt.Errorf("put: %w", want)}, shardrpc.Limits{})
		c := shardrpc.NewClient(net.Host(device), shardrpc.Limits{})
		h := c.Holder(node, s.Name(), shardrpc.Credential{})
		err := h.Put(t.Context(), shardrpc.Nonce{}, 0, s.Descriptor, s.Rows[0])
		if !errors.Is(err, want) {
			t.Errorf("error is %v, not %v", err, want)
		}
		c.Close()
		host.Close()
		if count.read > 20<<20 {
			t.Errorf("%d bytes travelled", count.read)
		}
	}
}

// counting counts what the server reads.
type counting struct {
	rpc.Registrar
	read int64
}

func (c *counting) Handle(protocol string, f func(context.Context, rpc.Stream)) {
	c.Registrar.Handle(protocol, func(ctx context.Context, s rpc.Stream) { f(ctx, &countingStream{s, &c.read}) })
}

type countingStream struct {
	rpc.Stream
	read *int64
}

func (c *countingStream) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	*c.read += int64(n)
	return n, err
}

// lazy is a backend that says yes to a row that it has not read.
type lazy struct{ refusing }

func (l lazy) Open(context.Context, ident.PublicKey, ident.CID, shardrpc.Credential) (shardrpc.Session, error) {
	return l, nil
}

func (lazy) Put(_ context.Context, _ shardrpc.Nonce, _ int, _ []byte, row io.Reader) error {
	_, err := row.Read(make([]byte, 10))
	return err
}

func (lazy) Has(context.Context, []shardrpc.Ref) ([]bool, error) { return nil, nil }

func TestBackendsMistakes(t *testing.T) {
	m := messages(t)
	for script, want := range map[string]string{
		string(append(frames(m["auth, nothing"], m["put"]), make([]byte, 100)...)): "internal",
		string(append(frames(m["auth, nothing"], m["has"]), m["shards"]...)):       "internal",
	} {
		s := &scripted{in: bytes.NewReader([]byte(script))}
		handler(lazy{}, shardrpc.Limits{})(t.Context(), s)
		if !bytes.Contains(s.wrote.Bytes(), []byte("fstatus\x01")) {
			t.Errorf("%x is not %s", s.wrote.Bytes(), want)
		}
	}
}

// TestRefusals: every number of the table arrives as its error.
func TestRefusals(t *testing.T) {
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 100, 1)
	for _, row := range shardrpc.Refusals {
		var script bytes.Buffer
		st := &scripted{in: bytes.NewReader(append(frames(messages(t)["auth, nothing"], messages(t)["put"]), s.Rows[1]...))}
		handler(refusing{err: fmt.Errorf("/var/secret: %w", row.Err)}, shardrpc.Limits{})(t.Context(), st)
		script.Write(st.wrote.Bytes())
		c := shardrpc.NewClient(oneStream(script.Bytes()), shardrpc.Limits{})
		err := c.Holder(shardrpctest.Key("x", 0).Public(), s.Name(), shardrpc.Credential{}).Put(t.Context(), shardrpc.Nonce{}, 1, s.Descriptor, s.Rows[1])
		c.Close()
		var refusal *rpc.Refusal
		if !errors.Is(err, row.Err) || !errors.As(err, &refusal) || refusal.Number != row.Number {
			t.Errorf("%v arrives as %v", row.Err, err)
		}
	}
}

func TestOneHolderForOneCredential(t *testing.T) {
	c := shardrpc.NewClient(pipenet.New().Host(shardrpctest.Key("x", 0).Public()), shardrpc.Limits{})
	node, vault := shardrpctest.Key("node", 0).Public(), ident.SumDagCBOR(nil)
	grant := shardrpctest.Key("owner", 0).Sign("grant", vault, []byte("g"))
	a := c.Holder(node, vault, shardrpc.Credential{})
	if a != c.Holder(node, vault, shardrpc.Credential{}) {
		t.Error("another holder, with streams of its own")
	}
	if a == c.Holder(node, vault, shardrpc.Credential{Grant: grant}) {
		t.Error("the same holder for another credential")
	}
	c.Close()
	for _, h := range []shardrpc.Holder{a, c.Holder(vaultsNode(), vault, shardrpc.Credential{})} {
		if _, err := h.Info(t.Context()); !errors.Is(err, rpc.ErrClosed) {
			t.Error(err)
		}
	}
}

func vaultsNode() ident.PublicKey { return shardrpctest.Key("node", 1).Public() }

// TestLyingSlices: a slice with a false length in front, or of another range, is a
// lie.
func TestLyingSlices(t *testing.T) {
	row := bytes.Repeat([]byte("some bytes "), 10_000)
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, len(row), 3)
	b := memory()
	session, err := b.Open(t.Context(), shardrpctest.Key("device", 0).Public(), s.Name(), shardrpc.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Put(t.Context(), shardrpc.Nonce{}, 0, s.Descriptor, bytes.NewReader(s.Rows[0])); err != nil {
		t.Fatal(err)
	}
	var slice bytes.Buffer
	if err := session.Slice(t.Context(), s.Ref(0), &slice, 20_000, 100); err != nil {
		t.Fatal(err)
	}
	yes := frames(messages(t)["yes"], messages(t)["yes"])
	ask := func(slice []byte) error {
		c := shardrpc.NewClient(oneStream(append(bytes.Clone(yes), slice...)), shardrpc.Limits{})
		defer c.Close()
		h := c.Holder(shardrpctest.Key("x", 0).Public(), s.Name(), shardrpc.Credential{})
		got, err := h.Range(t.Context(), s.Ref(0), s.Parsed.Shards[0], int64(len(row)), 20_000, 100, nil)
		if err == nil && !bytes.Equal(got, s.Rows[0][20_000:20_100]) {
			t.Error("wrong bytes are given out")
		}
		return err
	}
	if err := ask(slice.Bytes()); err != nil {
		t.Fatal(err)
	}
	for i := range slice.Len() {
		if i > 400 && i%97 != 0 {
			continue
		}
		p := bytes.Clone(slice.Bytes())
		p[i] ^= 1
		if err := ask(p); !errors.Is(err, shardrpc.ErrLied) {
			t.Fatalf("byte %d is another: %v", i, err)
		}
	}
	if err := ask(slice.Bytes()[:slice.Len()-1]); !errors.Is(err, rpc.ErrBroken) {
		t.Error(err)
	}
	if store.OutboardSize(int64(len(row))) < 64 {
		t.Error("the row has no inner nodes")
	}
}
