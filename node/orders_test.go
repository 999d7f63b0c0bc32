package node

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p"
	"holdfast/p2p/shardrpc"
)

// testOrders are those of an operator who has said nothing but what is in node.toml.
func testOrders(c Config, now func() time.Time) *orders {
	return &orders{
		config: c, now: now, log: slog.New(slog.DiscardHandler),
		roster: &watched[roster]{}, allowed: &watched[allowances]{}, granted: &watched[allowances]{},
		intent: &watched[intent]{}, certificate: &watched[certificate]{},
	}
}

// office is a node's folder whose operator gives orders while it runs.
type office struct {
	dir     string
	clock   time.Time
	orders  *orders
	told    int
	renewed []ident.Signed
}

func newOffice(t *testing.T, edit func(*Config)) *office {
	t.Helper()
	o := &office{dir: t.TempDir(), clock: ledgertest.Start()}
	testInit(t, o.dir)
	c, err := ReadConfig(o.dir)
	must(t, err)
	if edit != nil {
		edit(&c)
	}
	keys, err := readKeys(o.dir)
	must(t, err)
	o.orders, err = newOrders(o.dir, c, keys, func() time.Time { return o.clock }, slog.New(slog.DiscardHandler))
	must(t, err)
	o.orders.tell = func(context.Context) error { o.told++; return nil }
	o.orders.renew = func(s ident.Signed) error { o.renewed = append(o.renewed, s); return nil }
	return o
}

func (o *office) look(t *testing.T) {
	t.Helper()
	must(t, o.orders.look(t.Context()))
}

var vaultA, vaultB = ident.SumDagCBOR([]byte("vault a")), ident.SumDagCBOR([]byte("vault b"))

// SPEC: what stands in allow.toml goes before a grant, and a grant before node.toml.
func TestQuotaOfAVault(t *testing.T) {
	o := newOffice(t, func(c *Config) { c.Vaults, c.VaultQuota = VaultsListed, 5 })
	refused := func(vault ident.CID) bool {
		_, err := o.orders.quota(vault)
		return errors.Is(err, shardrpc.ErrForbidden)
	}
	if !refused(vaultA) || !refused(vaultB) {
		t.Fatal("a vault that nobody has listed is taken")
	}
	text, err := SignGrantFile(ledgertest.Key("operator"), ledger.VaultGrant{Vault: vaultA, Quota: 70, Issued: 1000})
	must(t, err)
	path := filepath.Join(t.TempDir(), "grant")
	must(t, os.WriteFile(path, text, 0o600))
	_, err = InstallGrant(o.dir, path)
	must(t, err)
	o.look(t)
	if q, err := o.orders.quota(vaultA); q != 70 || err != nil || !refused(vaultB) {
		t.Errorf("granted: %d, %v", q, err)
	}
	must(t, Allow(o.dir, Allowance{Vault: vaultA, Quota: 60, Until: o.clock.Add(time.Hour)}))
	must(t, Allow(o.dir, Allowance{Vault: vaultB}))
	o.look(t)
	if q, err := o.orders.quota(vaultA); q != 60 || err != nil {
		t.Errorf("allowed: %d, %v", q, err)
	}
	if q, err := o.orders.quota(vaultB); q != 0 || err != nil {
		t.Errorf("allowed without a quota: %d, %v", q, err)
	}
	o.clock = o.clock.Add(2 * time.Hour)
	if !refused(vaultA) {
		t.Error("taken after the end")
	}
	must(t, Disallow(o.dir, vaultA))
	o.look(t)
	if q, err := o.orders.quota(vaultA); q != 70 || err != nil {
		t.Errorf("off the list, the grant counts: %d, %v", q, err)
	}
	must(t, Drain(o.dir, o.clock))
	o.look(t)
	if _, err := o.orders.quota(vaultB); !errors.Is(err, shardrpc.ErrFull) {
		t.Error("a node that drains takes:", err)
	}
}

// Of two grants the later counts; a forged one, and one by another operator, are refused
// by name, and what was read before still counts.
func TestGrants(t *testing.T) {
	o := newOffice(t, nil)
	give := func(operator string, g ledger.VaultGrant) error {
		text, err := SignGrantFile(ledgertest.Key(operator), g)
		must(t, err)
		path := filepath.Join(t.TempDir(), "grant")
		must(t, os.WriteFile(path, text, 0o600))
		_, err = InstallGrant(o.dir, path)
		return err
	}
	must(t, give("operator", ledger.VaultGrant{Vault: vaultA, Quota: 2, Issued: 2000}))
	if err := give("operator", ledger.VaultGrant{Vault: vaultA, Quota: 1, Issued: 1000}); !errors.Is(err, ErrGrant) {
		t.Error("an earlier one, which would not count:", err)
	}
	// Every year another one, and no heap of them; one that was put there by hand counts.
	for year := range 3 {
		must(t, give("operator", ledger.VaultGrant{Vault: vaultB, Quota: 1, Issued: int64(3000 + year)}))
	}
	if files, err := os.ReadDir(filepath.Join(o.dir, grantsName)); err != nil || len(files) != 2 {
		t.Errorf("%d files, %v", len(files), err)
	}
	early, err := SignGrantFile(ledgertest.Key("operator"), ledger.VaultGrant{Vault: vaultA, Quota: 7, Issued: 1500})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(o.dir, grantsName, "early.grant"), early, 0o600))
	if err := give("another", ledger.VaultGrant{Vault: vaultA, Issued: 9000}); !errors.Is(err, ErrGrant) {
		t.Error("another operator's:", err)
	}
	o.look(t)
	if q, _ := o.orders.quota(vaultA); q != 2 {
		t.Errorf("quota %d", q)
	}
	must(t, os.WriteFile(filepath.Join(o.dir, grantsName, "x.grant"), []byte("garbage"), 0o600))
	o.look(t)
	if q, _ := o.orders.quota(vaultA); q != 2 || len(o.orders.troubles()) != 1 || !errors.Is(o.orders.troubles()[0], ErrGrant) {
		t.Errorf("quota %d, %v", q, o.orders.troubles())
	}
}

// An absence is told when it begins and when it ends by itself, and draining until it is
// taken back.
func TestIntent(t *testing.T) {
	o := newOffice(t, nil)
	o.look(t)
	if state, _ := o.orders.announced(); state != p2p.Serving || o.told != 0 {
		t.Fatalf("%q, told %d times", state, o.told)
	}
	must(t, Drain(o.dir, o.clock))
	o.look(t)
	must(t, Pause(o.dir, o.clock.Add(time.Hour), "a new fan", o.clock))
	o.look(t)
	if state, until := o.orders.announced(); state != p2p.Away || !until.Equal(o.clock.Add(time.Hour)) || o.told != 2 {
		t.Errorf("%q until %v, told %d times", state, until, o.told)
	}
	if state, reason := o.orders.intent.get().state(o.clock); state != StateAway || !strings.Contains(reason, "a new fan") {
		t.Errorf("%s %s", state, reason)
	}
	o.clock = o.clock.Add(time.Hour)
	o.look(t)
	if state, _ := o.orders.announced(); state != p2p.Draining || o.told != 3 {
		t.Errorf("%q after the absence, told %d times", state, o.told)
	}
	must(t, Pause(o.dir, o.clock.Add(time.Hour), "", o.clock))
	must(t, Resume(o.dir))
	must(t, CancelDrain(o.dir))
	o.look(t)
	if state, _ := o.orders.announced(); state != p2p.Serving || o.told != 4 || !o.orders.takes() {
		t.Errorf("%q at the end, told %d times", state, o.told)
	}
	for name, err := range map[string]error{
		"past":     Pause(o.dir, o.clock.Add(-time.Second), "", o.clock),
		"now":      Pause(o.dir, o.clock, "", o.clock),
		"too long": Pause(o.dir, o.clock.Add(p2p.MaxAway+time.Second), "", o.clock),
	} {
		if !errors.Is(err, ErrAway) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, reason := range []string{"a\nb", strings.Repeat("x", ledger.MaxReason+1)} {
		if err := Pause(o.dir, o.clock.Add(time.Hour), reason, o.clock); !errors.Is(err, ErrReason) {
			t.Errorf("%.10q: %v", reason, err)
		}
	}
	if err := Pause(t.TempDir(), o.clock.Add(time.Hour), "", o.clock); !errors.Is(err, ErrNoNode) {
		t.Error("no node:", err)
	}
	must(t, os.WriteFile(filepath.Join(o.dir, intentName), []byte("{"), 0o600))
	o.look(t)
	if state, _ := o.orders.announced(); state != p2p.Serving || len(o.orders.troubles()) != 1 {
		t.Errorf("%q by a damaged file, %v", state, o.orders.troubles())
	}
}

// The next certificate is shown without a restart; one that is older, or by another
// operator, is not.
func TestCertificateWhileRunning(t *testing.T) {
	o := newOffice(t, nil)
	certify := func(operator string, serial int64, zone string) {
		k, err := readKeys(o.dir)
		must(t, err)
		signed, err := ledger.SignNodeCertificate(ledgertest.Key(operator), ledger.NodeCertificate{
			Network: "test-net", Zone: zone, Name: "example", Node: k.node.Public(), Vote: k.vote.Public(), Serial: serial,
			Issued: ledger.Millis(o.clock), Expires: ledger.Millis(o.clock.Add(time.Hour)),
		})
		must(t, err)
		must(t, writeCertificate(o.dir, signed))
	}
	certify("operator", 2, "rack 2")
	o.look(t)
	if c := o.orders.current(); c.Serial != 2 || c.Zone != "rack 2" || len(o.renewed) != 1 {
		t.Errorf("%+v, renewed %d times", c, len(o.renewed))
	}
	for name, put := range map[string]func(){
		"older":              func() { certify("operator", 1, "rack 3") },
		"another operator's": func() { certify("another", 9, "rack 3") },
	} {
		put()
		if err := o.orders.look(t.Context()); !errors.Is(err, ErrCertificateFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := o.orders.current(); c.Serial != 2 || len(o.renewed) != 1 {
		t.Errorf("%+v, renewed %d times", c, len(o.renewed))
	}
	// One that cannot be shown yet, as where a clock is wrong, is an alert until it is.
	take := o.orders.renew
	o.orders.renew = func(ident.Signed) error { return ledger.ErrExpired }
	certify("operator", 3, "rack 3")
	for try, want := range []error{ledger.ErrExpired, nil} {
		if err := o.orders.look(t.Context()); !errors.Is(err, want) || len(o.orders.troubles()) != 1 {
			t.Errorf("try %d: %v; troubles %v", try, err, o.orders.troubles())
		}
	}
	o.orders.renew = take
	o.look(t)
	if c := o.orders.current(); c.Serial != 3 || len(o.orders.troubles()) != 0 {
		t.Errorf("%+v; troubles %v", c, o.orders.troubles())
	}
}

// A file that could not be read for a moment is read again, though it has not changed.
func TestWatchedIsTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, []byte("one"), 0o600))
	var failing error
	w, err := watch(path, func(path string) (string, error) {
		text, err := os.ReadFile(path)
		return string(text), errors.Join(err, failing)
	}, slog.New(slog.DiscardHandler))
	must(t, err)
	failing = errors.New("too many open files")
	must(t, os.WriteFile(path, []byte("three"), 0o600))
	if w.look() || w.get() != "one" || w.trouble() == nil {
		t.Errorf("%q, %v", w.get(), w.trouble())
	}
	failing = nil
	if !w.look() || w.get() != "three" || w.trouble() != nil || w.look() {
		t.Errorf("%q, %v", w.get(), w.trouble())
	}
}
