package web

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"holdfast/testnet"
)

// show starts a network of nodes inside this process, and its page. Both end with the
// test.
func show(t *testing.T, nodes int) (*testnet.Network, *Server) {
	t.Helper()
	return showWith(t, testnet.Config{Nodes: nodes, Capacity: 1 << 30})
}

func showWith(t *testing.T, c testnet.Config) (*testnet.Network, *Server) {
	t.Helper()
	c.Dir = t.TempDir()
	n, err := testnet.InProcess(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { must(t, n.Down(context.Background())) })
	s, err := Open(Config{Network: func() (*testnet.Network, error) { return n, nil }})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-done)
	})
	return n, s
}

// ask sends a request, changed before, and returns the answer's code and body. It does
// not follow.
func ask(t *testing.T, method, to string, form url.Values, change func(r *http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(form.Encode()))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if change != nil {
		change(r)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

// state is how the network sees a node.
func state(t *testing.T, n *testnet.Network, name string) string {
	t.Helper()
	for _, s := range n.Status(t.Context()) {
		if s.Name == name {
			return s.State
		}
	}
	return ""
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit, tick := time.After(3*time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: not in time", what)
		}
	}
}

// Nobody but the page itself can press its buttons, or see it.
func TestGuard(t *testing.T) {
	n, s := show(t, 2)
	kill := url.Values{"what": {"kill"}, "target": {"node-1"}}
	elsewhere := func(name, value string) func(r *http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(r *http.Request) { return func(r *http.Request) { r.Host = name } }
	base := "http://" + s.listener.Addr().String()
	port := strings.TrimPrefix(base, "http://127.0.0.1")
	for _, c := range []struct {
		method, to string
		change     func(r *http.Request)
		want       int
	}{
		{http.MethodGet, s.URL(), nil, http.StatusOK},
		{http.MethodGet, s.URL() + "assets/style.css", nil, http.StatusOK},
		{http.MethodGet, base + "/", nil, http.StatusNotFound},
		{http.MethodGet, base + "/assets/style.css", nil, http.StatusNotFound},
		{http.MethodGet, strings.TrimSuffix(s.URL(), "/") + "X/", nil, http.StatusNotFound},
		{http.MethodGet, s.URL(), host("evil.example" + port), http.StatusForbidden},
		{http.MethodGet, s.URL(), host("localhost" + port), http.StatusForbidden},
		{http.MethodPost, s.URL() + "do", host("evil.example"), http.StatusForbidden},
		{http.MethodPost, s.URL() + "do", elsewhere("Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		{http.MethodPost, s.URL() + "do", elsewhere("Sec-Fetch-Site", "same-site"), http.StatusForbidden},
		{http.MethodPost, s.URL() + "do", elsewhere("Origin", "http://evil.example"), http.StatusForbidden},
		{http.MethodPost, s.URL() + "do", elsewhere("Origin", "null"), http.StatusForbidden},
		{http.MethodPost, base + "/do", nil, http.StatusNotFound},
		{http.MethodPost, base + "/SECRET/do", nil, http.StatusNotFound},
		{http.MethodGet, s.URL() + "do?what=kill&target=node-1", nil, http.StatusMethodNotAllowed},
		{http.MethodDelete, s.URL(), nil, http.StatusMethodNotAllowed},
	} {
		if code, body := ask(t, c.method, c.to, kill, c.change); code != c.want {
			t.Errorf("%s %s: %d %s, not %d", c.method, c.to, code, body, c.want)
		}
	}
	if got := state(t, n, "node-1"); got != testnet.StateRunning {
		t.Errorf("node-1 is %s", got)
	}
	if len(s.deeds.list()) != 0 {
		t.Errorf("%+v", s.deeds.list())
	}
}

// What a button asks for is done once, and what is wrong with it is said.
func TestDeeds(t *testing.T) {
	n, s := show(t, 2)
	press := func(what, target string) int {
		t.Helper()
		code, _ := ask(t, http.MethodPost, s.URL()+"do", url.Values{"what": {what}, "target": {target}}, nil)
		return code
	}
	for _, c := range []struct {
		what, target string
		want         int
	}{
		{"tickle", "node-1", http.StatusBadRequest},
		{"", "", http.StatusBadRequest},
		{"kill", "node-9", http.StatusBadRequest},
		{"kill", "", http.StatusBadRequest},
		{"heal", "operator=nobody", http.StatusBadRequest},
		{"kill", "node-1", http.StatusSeeOther},
	} {
		if got := press(c.what, c.target); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	over := func() bool { return s.deeds.list()[0].Over }
	until(t, "killed", func() bool { return over() && state(t, n, "node-1") == testnet.StateDead })
	if got := press("heal", "node-1"); got != http.StatusSeeOther {
		t.Error(got)
	}
	until(t, "healed", over)
	if got := state(t, n, "node-1"); got != testnet.StateRunning {
		t.Error(got)
	}
	press("stop", "node-1") // what runs in this process cannot be held
	until(t, "stopped", over)
	press("add", "shop")
	until(t, "added", over)
	all := s.deeds.list()
	if len(all) != 4 || all[0].Failed == "" || all[1].Failed == "" || all[2].Failed != "" || all[3].Failed != "" {
		t.Errorf("%+v", all)
	}
	if code, _ := ask(t, http.MethodPost, s.URL()+"do", url.Values{"what": {strings.Repeat("x", 2*formLimit)}}, nil); code != http.StatusBadRequest {
		t.Errorf("a long form: %d", code)
	}
}

// While something is done to a target nothing else is; the oldest deeds are forgotten.
func TestOneDeedAtATime(t *testing.T) {
	d := newDeeds(Config{Now: time.Now})
	at := func(what, target string, nodes ...string) *deed {
		return &deed{What: what, Target: target, nodes: nodes}
	}
	first := at("heal", "operator=op-1", "node-1", "node-5")
	must(t, d.note(first))
	for _, other := range []*deed{at("kill", "node-1", "node-1"), at("stop", "node-5", "node-5"), at("kill", "operator=op-1", "node-1", "node-5")} {
		if err := d.note(other); err == nil {
			t.Errorf("%s %s at the same time", other.What, other.Target)
		}
	}
	must(t, d.note(at("kill", "node-2", "node-2")))
	must(t, d.note(at("add", "")))
	if err := d.note(at("add", "op-1")); err == nil {
		t.Error("two are added at once")
	}
	d.end(first, nil)
	must(t, d.note(at("kill", "node-1", "node-1")))
	for range 2 * remembered {
		one := at("kill", "node-3", "node-3")
		must(t, d.note(one))
		d.end(one, nil)
	}
	if n := len(d.list()); n < remembered || n > remembered+4 {
		t.Errorf("%d are remembered", n)
	}
}
