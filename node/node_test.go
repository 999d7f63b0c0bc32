package node

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
)

// live is a node that runs in this process.
type live struct {
	*Node
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

// start runs the node in dir until the test ends.
func start(t *testing.T, dir string, now clock) *live {
	t.Helper()
	n, err := Open(t.Context(), dir, Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &live{n, t, cancel, make(chan error, 1)}
	go func() { l.done <- n.Run(ctx) }()
	t.Cleanup(l.end)
	return l
}

// end stops the node as its operator would.
func (l *live) end() {
	l.stop()
	if err := <-l.done; err != nil {
		l.t.Error("run:", err)
	}
	l.done <- nil
}

// newNode makes a node's folder; the operator is named after it.
func newNode(t *testing.T, operator string, bootstrap ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), operator)
	c := initConfig(dir)
	c.Config.Bootstrap, c.Config.Network = bootstrap, ledgertest.Network
	c.Operator, c.OperatorName = ledgertest.Key(operator), operator
	if _, err := Init(c); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestNodeAndItsAdmin(t *testing.T) {
	dir := newNode(t, "one")
	if _, err := Ask(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Error("before the start:", err)
	}
	n := start(t, dir, ledgertest.Start)
	until(t, "ready", func() bool { return Ready(t.Context(), dir) == nil })
	s, err := Ask(t.Context(), dir)
	must(t, err)
	if s.State != StateServing || s.PID != os.Getpid() || s.Node != n.keys.cert.Node.String() || s.Name != "one" || s.Capacity != 1<<30 || len(s.Vaults) != 0 || s.Serial != 1 {
		t.Errorf("%+v", s)
	}
	if len(s.Addrs) != 1 || !strings.HasSuffix(s.Addrs[0], "/p2p/"+p2p.PeerID(n.keys.cert.Node)) || s.Addrs[0] != n.host.Addrs()[0] {
		t.Errorf("address %v, peer %s", s.Addrs, p2p.PeerID(n.keys.cert.Node))
	}
	addr, err := AdminAddr(dir)
	must(t, err)
	for path, want := range map[string]string{
		"/livez": "[+]node ok", "/readyz": "[+]volume ok", "/metrics": "holdfast_volume_allocated_bytes{volume=\"main\"} 1.073741824e+09", "/status": `"state":"serving"`,
	} {
		if code, body := get(t, addr, path, addr); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.200s", path, code, body)
		}
		for _, host := range []string{"evil.example", "evil.example:80", "10.0.0.1:80", "localhost.evil.example:80", ""} {
			if code, _ := get(t, addr, path, host); host != "" && code != http.StatusForbidden {
				t.Errorf("%s asked of host %q: %d", path, host, code)
			}
		}
	}
	if code, _ := get(t, addr, "/elsewhere", addr); code != http.StatusNotFound {
		t.Errorf("/elsewhere: %d", code)
	}
	wantVerbose(t, addr)
	wantForeign(t, addr)
	n.end()
	if _, err := Ask(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Error("after the end:", err)
	}
	if PID(dir) != 0 {
		t.Error("a node that has ended has a process")
	}
}

// wantVerbose reads the lines of all parts, and leaves some out.
func wantVerbose(t *testing.T, addr string) {
	t.Helper()
	_, all := get(t, addr, "/readyz?verbose", addr)
	for _, want := range []string{"[+]volume ok\n", "[+]network ok", "[+]state serving\n", "[+]volume-main serving\n", "[+]clock-belief ok\n"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in %s", want, all)
		}
	}
	if _, some := get(t, addr, "/readyz?verbose&exclude=state&exclude=network", addr); strings.Contains(some, "state") || strings.Contains(some, "network") || !strings.Contains(some, "volume") {
		t.Error(some)
	}
}

// wantForeign asks as the page of another site would.
func wantForeign(t *testing.T, addr string) {
	t.Helper()
	for _, c := range []struct {
		path, site, mode string
		want             int
	}{
		{"/status", "cross-site", "no-cors", http.StatusForbidden},
		{"/doctor", "same-site", "navigate", http.StatusForbidden},
		{"/", "cross-site", "no-cors", http.StatusForbidden},
		{"/", "cross-site", "navigate", http.StatusOK},
		{"/status", "none", "navigate", http.StatusOK},
		{"/", "same-origin", "cors", http.StatusOK},
		{"/doctor", "origin http://evil.example", "", http.StatusForbidden},
		{"/status", "origin null", "", http.StatusForbidden},
		{"/status", "origin http://" + addr, "", http.StatusOK},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+c.path, nil)
		must(t, err)
		if origin, old := strings.CutPrefix(c.site, "origin "); old { // a browser that says no more
			req.Header.Set("Origin", origin)
		} else {
			req.Header.Set("Sec-Fetch-Site", c.site)
			req.Header.Set("Sec-Fetch-Mode", c.mode)
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode != c.want {
			t.Errorf("%+v: %d", c, resp.StatusCode)
		}
	}
}

func get(t *testing.T, addr, path, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
	must(t, err)
	req.Host = host
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

// A node that was killed leaves its address behind: nobody listens there, or
// somebody else does, or something that never answers.
func TestStaleAdminFile(t *testing.T) {
	dir := t.TempDir()
	write := func(addr string) {
		t.Helper()
		must(t, os.MkdirAll(filepath.Join(dir, "run"), 0o700))
		p, err := json.Marshal(place{Addr: addr, Instance: "this one", PID: 1})
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, adminName), p, 0o600))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	write(l.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("nobody answers:", err)
	}
	must(t, l.Close())
	if _, err := Ask(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Error("nobody listens:", err)
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(instanceHeader, "another one")
		io.WriteString(w, `{"state":"serving"}`)
	}))
	defer other.Close()
	write(strings.TrimPrefix(other.URL, "http://"))
	if s, err := Ask(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("another node answers: %+v, %v", s, err)
	}
	for _, text := range []string{"", "{", `{"addr":"192.0.2.1:80"}`, `{"addr":5}`, strings.Repeat(" ", adminLimit+1)} {
		must(t, os.WriteFile(filepath.Join(dir, adminName), []byte(text), 0o600))
		if _, err := Ask(t.Context(), dir); err == nil {
			t.Errorf("%.40q is believed", text)
		}
	}
}

// The volume of a running node is emptied: within a second or two it says so, it
// does not serve, it makes nothing new, and a restart changes nothing.
func TestWipeUnderRunningNode(t *testing.T) {
	dir := newNode(t, "one")
	n := start(t, dir, ledgertest.Start)
	until(t, "ready", func() bool { return Ready(t.Context(), dir) == nil })
	volume := filepath.Join(dir, volumeName)
	entries, err := os.ReadDir(volume)
	must(t, err)
	for _, e := range entries {
		must(t, os.RemoveAll(filepath.Join(volume, e.Name())))
	}
	wantPaused := func() {
		t.Helper()
		until(t, "paused", func() bool { return errors.Is(Ready(t.Context(), dir), ErrNotReady) })
		s, err := Ask(t.Context(), dir)
		if err != nil || s.State != StatePaused || s.Reason == "" || s.Free != 0 {
			t.Errorf("%+v, %v", s, err)
		}
		if left, err := os.ReadDir(volume); err != nil || len(left) > 0 {
			t.Errorf("made on the volume: %v, %v", left, err)
		}
	}
	wantPaused()
	n.end()
	again := start(t, dir, ledgertest.Start)
	wantPaused()
	again.end()
	if _, err := Renew(dir, ledgertest.Key("one"), "one", ledgertest.Start); err != nil {
		t.Fatal(err)
	}
	healed := start(t, dir, ledgertest.Start)
	until(t, "ready", func() bool { return Ready(t.Context(), dir) == nil })
	if healed.keys.cert.Serial != 2 || healed.keys.vote.Public() == n.keys.vote.Public() {
		t.Error("the vote key is the old one")
	}
}

// A configuration or keys that cannot be used are errors that leave nothing open.
func TestOpenRefusals(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"config":      func(dir string) error { return os.WriteFile(filepath.Join(dir, configName), []byte("x = 1"), 0o600) },
		"no key":      func(dir string) error { return os.Remove(filepath.Join(dir, NodeKeyName)) },
		"open key":    func(dir string) error { return os.Chmod(filepath.Join(dir, voteKeyName), 0o644) },
		"certificate": func(dir string) error { return os.Remove(filepath.Join(dir, certificateName)) },
		"address": func(dir string) error {
			c, err := ReadConfig(dir)
			c.Listen = []string{"/ip4/192.0.2.1/tcp/1"}
			return errors.Join(err, writeConfig(dir, c))
		},
	} {
		dir := newNode(t, "one")
		must(t, spoil(dir))
		if _, err := Open(t.Context(), dir, Options{Now: ledgertest.Start}); err == nil {
			t.Errorf("%s: no error", name)
		}
		unlock, err := lockFolder(dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		must(t, unlock())
	}
	dir := newNode(t, "one")
	late := func() time.Time { return ledgertest.Start().Add(CertificateLife) }
	if _, err := Open(t.Context(), dir, Options{Now: late}); !errors.Is(err, ledger.ErrExpired) {
		t.Error("an expired certificate:", err)
	}
}

// pair is a vault with three members, of which two have a node that runs, and a
// device that can reach them. At n = 3 two members prove what nobody knows.
type pair struct {
	t      *testing.T
	clock  *manual
	nodes  []*live
	owner  ident.PrivateKey
	signed ident.Signed
	client *shardrpc.Client
	cred   shardrpc.Credential
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, clock: &manual{t: ledgertest.Start()}, owner: ledgertest.Key("owner")}
	p.nodes = append(p.nodes, start(t, newNode(t, "one"), p.clock.now))
	p.nodes = append(p.nodes, start(t, newNode(t, "two", p.nodes[0].host.Addrs()...), p.clock.now))
	draft := ledgertest.NewVault("pair", 3).Draft("pair")
	for i, n := range p.nodes {
		c := n.keys.cert
		draft.Members[i] = ledger.Member{Operator: c.Operator, Name: c.Name, Node: c.Node, Vote: c.Vote, Zone: c.Zone}
	}
	slices.SortFunc(draft.Members, func(a, b ledger.Member) int { return a.Operator.Compare(b.Operator) })
	var err error
	if p.signed, err = ledger.SignCharter(p.owner, draft); err != nil {
		t.Fatal(err)
	}
	device := ledgertest.Key("device")
	grant, err := ledger.SignGrant(p.owner, ledger.Grant{
		Vault: p.signed.CID(), Device: device.Public(), Name: "device", Rights: ledger.Full, Index: ledgertest.Recipient(), Issued: ledger.Millis(p.clock.now()),
	})
	must(t, err)
	p.cred = shardrpc.Credential{Charter: p.signed, Grant: grant}
	host, err := p2p.New(t.Context(), p2p.Config{Key: device, Bootstrap: p.nodes[0].host.Addrs(), Now: p.clock.now})
	must(t, err)
	t.Cleanup(func() { must(t, host.Close()) })
	must(t, host.Start(t.Context()))
	until(t, "the device knows both nodes", func() bool {
		found, _ := host.Nodes(t.Context())
		return len(found) == 2
	})
	p.client = shardrpc.NewClient(rpc.Over[p2p.Stream](host), shardrpc.Limits{})
	t.Cleanup(p.client.Close)
	until(t, "both nodes know each other", func() bool {
		a, _ := p.nodes[0].around.seen()
		b, _ := p.nodes[1].around.seen()
		return a == 1 && b == 1
	})
	return p
}

// Two nodes, over the network: a shard is put and receipted, the vault is found by
// its ID and its owner, and when its time has passed and both members say that they
// know nothing of it, one of them itself, the shard goes; with one alone it stays.
func TestTwoNodes(t *testing.T) {
	p := newPair(t)
	ctx, vault := t.Context(), p.signed.CID()
	for _, n := range p.nodes {
		at := &ledgers{volume: n.volume, accepted: n.announce.loop.Trigger, stamp: stamp{p.clock.now, n.meters}, log: n.log}
		if _, err := at.Accept(ctx, p.signed); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range p.nodes {
		until(t, "found by the vault's ID", func() bool { found, _ := n.host.FindVault(ctx, vault); return len(found) == 1 })
		until(t, "found by the owner", func() bool { found, _ := n.host.FindOwner(ctx, p.owner.Public().ID()); return len(found) == 1 })
		until(t, "a hint", func() bool { h, err := n.host.GetHint(ctx, vault); return err == nil && len(h.Members) == 2 })
	}
	g := segment(t, 100_000, 1)
	for i, n := range p.nodes {
		h := p.client.Holder(n.keys.cert.Node, vault, p.cred)
		must(t, h.Put(ctx, nonce, i, g.Descriptor, g.Rows[i]))
		signed, err := h.Receipt(ctx, nonce, []shardrpc.Ref{ref(g, i)})
		must(t, err)
		if _, err := ledger.VerifyReceipt(signed, n.keys.cert.Vote, vault); err != nil {
			t.Error(err)
		}
		if status := n.Status(ctx); len(status.Vaults) != 1 || !status.Vaults[0].Member || status.Vaults[0].Shards != 1 || status.Shards != 1 {
			t.Errorf("%+v", status)
		}
	}
	has := func(i int) bool {
		t.Helper()
		found, err := p.client.Holder(p.nodes[i].keys.cert.Node, vault, p.cred).Has(ctx, []shardrpc.Ref{ref(g, i)})
		must(t, err)
		return found[0]
	}
	must(t, p.nodes[0].sweeps.TriggerWait(ctx))
	if !has(0) {
		t.Error("a shard went before its time")
	}
	p.clock.advance(bookHold + time.Hour)
	must(t, p.nodes[0].sweeps.TriggerWait(ctx))
	if has(0) || !has(1) {
		t.Errorf("after its time the shard is there: %v; the other one: %v", has(0), has(1))
	}
	p.nodes[0].end()
	must(t, p.nodes[1].sweeps.TriggerWait(ctx))
	if !has(1) {
		t.Error("a shard went although one of two members is down")
	}
}
