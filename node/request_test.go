package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/armour"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// prepared is a node whose operator is elsewhere.
func prepared(t testing.TB) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "node")
	c := goodConfig()
	must(t, Prepare(dir, c, ledgertest.Start))
	return dir
}

// certificateFor has an operator answer the request of a node.
func certificateFor(t testing.TB, dir, operator, zone string, life time.Duration) (path string) {
	t.Helper()
	r, _, err := Request(dir, ledgertest.Start)
	must(t, err)
	_, text, err := Certify(r, ledgertest.Key(operator), "example", zone, ledgertest.Start(), life)
	must(t, err)
	path = filepath.Join(t.TempDir(), "cert")
	must(t, os.WriteFile(path, text, 0o600))
	return path
}

// A node asks, its operator answers on another machine, and the node has all that Init
// would have made.
func TestRequest(t *testing.T) {
	dir := prepared(t)
	if _, err := readKeys(dir); !errors.Is(err, ErrNoCertificate) {
		t.Error("before the certificate:", err)
	}
	cert, err := Install(dir, certificateFor(t, dir, "operator", "rack 7", CertificateLife), ledgertest.Start())
	must(t, err)
	wantWhole(t, dir, cert)
	if cert.Serial != 1 || cert.Zone != "rack 7" || cert.Operator != ledgertest.Key("operator").Public() {
		t.Errorf("%+v", cert)
	}
	// Where nobody says otherwise the zone stays as the operator has certified it.
	next, err := Install(dir, certificateFor(t, dir, "operator", "", CertificateLife), ledgertest.Start())
	must(t, err)
	if next.Serial != 2 || next.Zone != "rack 7" || next.Vote != cert.Vote {
		t.Errorf("%+v", next)
	}
	if err := Prepare(dir, goodConfig(), ledgertest.Start); !errors.Is(err, ErrNodeExists) {
		t.Error("over a node:", err)
	}
}

// A certificate that does not fit is refused by name, and the one that is there stays.
func TestCertificatesThatDoNotFit(t *testing.T) {
	dir, other := prepared(t), prepared(t)
	good := certificateFor(t, dir, "operator", "", CertificateLife)
	foreign := certificateFor(t, dir, "another", "", CertificateLife)
	_, err := Install(dir, good, ledgertest.Start())
	must(t, err)
	text, err := os.ReadFile(certificateFor(t, dir, "operator", "", CertificateLife))
	must(t, err)
	var signed ident.Signed
	must(t, armour.Decode(labelCertificate, text, &signed))
	signed.Signature[3] ^= 1
	forged, err := armour.Encode(labelCertificate, signed)
	must(t, err)
	write := func(p []byte) string {
		path := filepath.Join(t.TempDir(), "cert")
		must(t, os.WriteFile(path, p, 0o600))
		return path
	}
	for name, c := range map[string]struct {
		path string
		now  time.Time
		want string
	}{
		"the same again":     {good, ledgertest.Start(), "serial"},
		"another operator's": {foreign, ledgertest.Start(), "belongs to"},
		"another node's":     {certificateFor(t, other, "operator", "", CertificateLife), ledgertest.Start(), "it is for node"},
		"forged":             {write(forged), ledgertest.Start(), "signature"},
		"garbage":            {write([]byte("garbage")), ledgertest.Start(), ErrCertificateFile.Error()},
		"expired":            {certificateFor(t, dir, "operator", "", time.Hour), ledgertest.Start().Add(2 * time.Hour), "not valid"},
	} {
		if _, err := Install(dir, c.path, c.now); !errors.Is(err, ErrCertificateFile) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if cert, _, err := readCertificate(dir); err != nil || cert.Serial != 1 {
		t.Errorf("%+v, %v", cert, err)
	}
}

// A lost volume is replaced without the operator's key, and the old vote key never
// signs again.
func TestPrepareVolume(t *testing.T) {
	dir := prepared(t)
	first, err := Install(dir, certificateFor(t, dir, "operator", "", CertificateLife), ledgertest.Start())
	must(t, err)
	if err := PrepareVolume(dir, ledgertest.Start); !errors.Is(err, ErrVolumeInUse) {
		t.Error("a volume that is there:", err)
	}
	must(t, os.RemoveAll(filepath.Join(dir, volumeName)))
	must(t, PrepareVolume(dir, ledgertest.Start))
	if _, err := readKeys(dir); !errors.Is(err, ErrUnfinished) {
		t.Error("before the certificate:", err)
	}
	if _, err := Install(dir, certificateFor(t, dir, "another", "", CertificateLife), ledgertest.Start()); !errors.Is(err, ErrCertificateFile) {
		t.Error("another operator's:", err)
	}
	second, err := Install(dir, certificateFor(t, dir, "operator", "", CertificateLife), ledgertest.Start())
	must(t, err)
	wantWhole(t, dir, second)
	if second.Vote == first.Vote || second.Node != first.Node || second.Serial != 2 {
		t.Errorf("%+v", second)
	}
}

func FuzzOperatorTexts(f *testing.F) {
	dir := prepared(f)
	_, text, err := Request(dir, ledgertest.Start)
	must(f, err)
	f.Add(text)
	grant, err := SignGrantFile(ledgertest.Key("operator"), ledger.VaultGrant{Vault: vaultA, Issued: 1})
	must(f, err)
	f.Add(grant)
	cert, err := os.ReadFile(certificateFor(f, dir, "operator", "", time.Hour))
	must(f, err)
	f.Add(cert)
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := parseRequest(text); err == nil && r.Node == r.Vote {
			t.Error("one key in two places")
		}
		if c, signed, err := parseCertificate(text); err == nil {
			if again, err := ledger.VerifyNodeCertificate(signed); err != nil || again != c {
				t.Errorf("%+v, %v", again, err)
			}
		}
		if g, err := parseGrant(text, ledgertest.Key("operator").Public()); err == nil && g.Quota < 0 {
			t.Error("a negative quota")
		}
	})
}
