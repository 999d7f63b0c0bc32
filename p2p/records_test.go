package p2p

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

func recordBy(t testing.TB, node ident.PrivateKey, cert ident.Signed, seq int64) []byte {
	t.Helper()
	s, err := ledger.SignNodeRecord(node, ledger.NodeRecord{Cert: cert, Addrs: []string{"/ip4/127.0.0.1/tcp/1"}, Seq: seq})
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, s)
}

func TestNodeRecords(t *testing.T) {
	key, other := newKey(t), newKey(t)
	v := nodeValidator{testNetwork, time.Now}
	cert := certify(t, key.Public(), nil)
	good := recordBy(t, key, cert, 5)
	at := nodeKey(key.Public())
	if err := v.Validate(at, good); err != nil {
		t.Fatal(err)
	}
	foreign := good
	var forged ident.Signed
	if err := wire.Decode(good, &forged); err != nil {
		t.Fatal(err)
	}
	forged.Signature[0] ^= 1
	stolen := forged
	stolen.Signature = other.Sign(ledger.LabelNodeRecord, ident.CID{}, forged.Object).Signature
	for name, c := range map[string]struct {
		key   string
		value []byte
		want  error
	}{
		"another key":         {nodeKey(other.Public()), foreign, nil},
		"malformed key":       {"/node/short", good, ident.ErrKey},
		"garbage":             {at, []byte("garbage"), wire.ErrMalformed},
		"nothing":             {at, nil, wire.ErrMalformed},
		"oversized":           {at, make([]byte, maxNodeRecord+1), wire.ErrTooLong},
		"forged signature":    {at, encode(t, forged), ident.ErrSignature},
		"another's signature": {at, encode(t, stolen), ident.ErrSignature},
		"expired certificate": {at, recordBy(t, key, certify(t, key.Public(), expired), 6), ledger.ErrExpired},
		"another network":     {at, recordBy(t, key, certify(t, key.Public(), otherNetwork), 6), ErrNetwork},
		"trailing bytes":      {at, append(bytes.Clone(good), 0), wire.ErrMalformed},
		"a hint's name space": {vaultKey(ident.SumDagCBOR(nil)), good, nil},
	} {
		if err := v.Validate(c.key, c.value); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	newer := recordBy(t, key, cert, 6)
	if i, err := v.Select(at, [][]byte{good, newer, []byte("x")}); i != 1 || err != nil {
		t.Errorf("selected %d, %v", i, err)
	}
	if i, err := v.Select(at, [][]byte{newer, newer, good}); i != 0 || err != nil {
		t.Errorf("of equals selected %d, %v", i, err)
	}
	if _, err := v.Select(at, [][]byte{[]byte("x")}); err == nil {
		t.Error("garbage was selected")
	}
}

func TestVaultHints(t *testing.T) {
	member, stranger := build(t), build(t)
	charter, vault := vaultOf(t, member)
	v := hintValidator{}
	good := hintBy(t, member, charter, 5)
	at := vaultKey(vault)
	if err := v.Validate(at, encode(t, good)); err != nil {
		t.Fatal(err)
	}
	forged := good
	forged.Signature[9] ^= 1
	stolen := good
	stolen.Signature = stranger.Key.Sign(ledger.LabelVaultHint, vault, good.Object).Signature
	_, other := vaultOf(t, member)
	for name, c := range map[string]struct {
		key   string
		value []byte
	}{
		"forged":        {at, encode(t, forged)},
		"a stranger's":  {at, encode(t, stolen)},
		"another vault": {vaultKey(other), encode(t, good)},
		"malformed key": {"/vault/", encode(t, good)},
		"garbage":       {at, []byte{0xa0}},
		"oversized":     {at, make([]byte, maxVaultHint+1)},
	} {
		if err := v.Validate(c.key, c.value); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	newer := encode(t, hintBy(t, member, charter, 9))
	if i, err := v.Select(at, [][]byte{encode(t, good), []byte("x"), newer}); i != 2 || err != nil {
		t.Errorf("selected %d, %v", i, err)
	}
	if err := stranger.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.PutHint(t.Context(), stolen); err == nil || errors.Is(err, ErrUnreachable) {
		t.Errorf("a forged hint is published: %v", err)
	}
	if _, err := stranger.PutHint(t.Context(), ident.Signed{Object: []byte("x")}); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("garbage is published: %v", err)
	}
}

// A forged record that somebody serves is not believed by whoever looks it up.
func TestForgedRecordIsNotServed(t *testing.T) {
	h := start(t)
	victim := newKey(t)
	r := newRogue(t)
	d := r.serveDHT(t, anything{})
	r.answer(t, func(*helloAnswer) {})
	q := helloRequest{V: 1, Network: testNetwork, Cert: r.certify(t, nil), Addrs: formatAddrs(r.Addrs())}
	if a, err := r.say(t, h, sendHello(q)); err != nil || a.Refused != "" {
		t.Fatal(err, a.Refused)
	}
	until(t, "tables", func() bool { return tableSize(h) == 1 && d.RoutingTable().Size() == 1 })
	lie := recordBy(t, r.key, r.certify(t, nil), 1)
	if err := d.PutValue(t.Context(), nodeKey(victim.Public()), lie); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Node(t.Context(), victim.Public()); !errors.Is(err, ErrNotFound) {
		t.Errorf("found: %v", err)
	}
}

func TestSpaceClass(t *testing.T) {
	for space, want := range map[int64]int64{-1: 0, 0: 0, 1: 0, 2: 1, 1023: 9, 1024: 10, 1<<63 - 1: 62} {
		if got := spaceClass(space); got != want {
			t.Errorf("class of %d is %d, want %d", space, got, want)
		}
	}
}

// The names under which the DHT keeps things are part of the protocol.
func TestKeys(t *testing.T) {
	if got := rendezvous("test-p2p").String(); got != "bafkr4ifqoru4hbh4l5o5vkzjrzenl3as6qp3hj75eil2wbzuay7biqmcka" {
		t.Errorf("rendezvous %s", got)
	}
	if got := protocolID("n", "shard/1"); got != "/holdfast/n/shard/1" {
		t.Errorf("protocol %s", got)
	}
	key := ident.PublicKey{1}
	if got := nodeKey(key); got != "/node/\xed\x01\x01"+string(make([]byte, 31)) {
		t.Errorf("node key %q", got)
	}
}

func FuzzNodeRecord(f *testing.F) {
	key := newKey(f)
	at := nodeKey(key.Public())
	v := nodeValidator{testNetwork, time.Now}
	good := recordBy(f, key, certify(f, key.Public(), nil), 1)
	signed, err := parseSigned(good, maxNodeRecord)
	if err != nil {
		f.Fatal(err)
	}
	object := signed.Object
	f.Add(good)
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, p []byte) {
		if v.Validate(at, p) != nil {
			return
		}
		if s, err := parseSigned(p, maxNodeRecord); err != nil || !bytes.Equal(s.Object, object) {
			t.Fatal("a record that nobody signed")
		}
	})
}

func FuzzHello(f *testing.F) {
	key := newKey(f)
	r, err := wire.Encode(helloRequest{V: 1, Network: testNetwork, Cert: certify(f, key.Public(), nil), Clock: 1, Addrs: []string{"/ip4/127.0.0.1/tcp/1"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire.AppendFrame(nil, r))
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x0f})
	f.Fuzz(func(t *testing.T, p []byte) {
		var q helloRequest
		if readHello(bytes.NewReader(p), &q) == nil {
			if again, err := wire.Encode(q); err != nil || len(again) > maxHello {
				t.Fatalf("read %d bytes, %v", len(again), err)
			}
		}
		var a helloAnswer
		readHello(bytes.NewReader(p), &a)
		checkCertificate(q.Cert, key.Public(), testNetwork, time.Now())
		parseAddrs("", q.Addrs)
	})
}

// Damaged hellos and records are refused or read, and never more than that: no panic,
// and nothing accepted that was signed differently.
func TestDamage(t *testing.T) {
	key := newKey(t)
	cert := certify(t, key.Public(), nil)
	v := nodeValidator{testNetwork, time.Now}
	at := nodeKey(key.Public())
	record := recordBy(t, key, cert, 1)
	hello, err := wire.Encode(helloRequest{V: 1, Network: testNetwork, Cert: cert, Clock: 1, Addrs: []string{"/ip4/127.0.0.1/tcp/1"}})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		p := bytes.Clone(record)
		p[r.IntN(len(p))] ^= byte(1 + r.IntN(255))
		if v.Validate(at, p) == nil {
			t.Fatalf("a damaged record is accepted: %x", p)
		}
		v.Select(at, [][]byte{p, record})
		q := wire.AppendFrame(nil, hello)
		q[r.IntN(len(q))] ^= byte(1 + r.IntN(255))
		var got helloRequest
		if readHello(bytes.NewReader(q[:1+r.IntN(len(q))]), &got) == nil {
			checkCertificate(got.Cert, key.Public(), testNetwork, time.Now())
			parseAddrs("", got.Addrs)
		}
	}
}
