package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/store/disk"
)

func initConfig(dir string) InitConfig {
	c := goodConfig()
	c.Listen, c.Bootstrap = []string{"/ip4/127.0.0.1/tcp/0"}, nil
	return InitConfig{Dir: dir, Config: c, Operator: ledgertest.Key("operator"), OperatorName: "example", Now: ledgertest.Start}
}

func testInit(t testing.TB, dir string) ledger.NodeCertificate {
	t.Helper()
	cert, err := Init(initConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// wantWhole checks that everything in a node's folder belongs together.
func wantWhole(t *testing.T, dir string, cert ledger.NodeCertificate) {
	t.Helper()
	k, err := readKeys(dir)
	if err != nil || k.cert != cert {
		t.Errorf("keys: %v\n%+v\n%+v", err, k.cert, cert)
	}
	m, err := disk.ReadMarker(filepath.Join(dir, volumeName))
	if err != nil || m.Node != cert.Node || m.Vote != cert.Vote {
		t.Errorf("marker %+v, %v", m, err)
	}
	if _, err := ReadConfig(dir); err != nil {
		t.Error(err)
	}
}

func TestInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	cert := testInit(t, dir)
	wantWhole(t, dir, cert)
	if cert.Operator != ledgertest.Key("operator").Public() || cert.Name != "example" || cert.Network != "test-net" || cert.Zone != "rack 1" || cert.Serial != 1 ||
		cert.ValidAt(ledgertest.Start().Add(CertificateLife-time.Minute)) != nil || cert.ValidAt(ledgertest.Start().Add(CertificateLife)) == nil {
		t.Errorf("%+v", cert)
	}
	if _, err := Init(initConfig(dir)); !errors.Is(err, ErrNodeExists) {
		t.Error("over a node:", err)
	}
	wantWhole(t, dir, cert)
}

func TestInitRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*InitConfig)
		want error
	}{
		"capacity": {func(c *InitConfig) { c.Config.Capacity = MinCapacity - 1 }, ErrConfig},
		"network":  {func(c *InitConfig) { c.Config.Network = "" }, ErrConfig},
		"admin":    {func(c *InitConfig) { c.Config.Admin = "0.0.0.0:1" }, ErrConfig},
		"name":     {func(c *InitConfig) { c.OperatorName = "\n" }, ErrName},
	} {
		dir := t.TempDir()
		config := initConfig(dir)
		c.edit(&config)
		if _, err := Init(config); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := ReadConfig(dir); !errors.Is(err, ErrNoNode) {
			t.Errorf("%s: a node was made: %v", name, err)
		}
	}
}

// A volume with anything on it is not taken.
func TestInitOverData(t *testing.T) {
	for _, name := range []string{"ledger", "book.db", "photos", "shards/ab"} {
		dir := t.TempDir()
		must(t, os.MkdirAll(filepath.Join(dir, volumeName, name), 0o700))
		if _, err := Init(initConfig(dir)); !errors.Is(err, ErrVolumeInUse) && !errors.Is(err, disk.ErrVolumeExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	m := disk.Marker{Volume: disk.VolumeID{9}, Node: ledgertest.Key("x").Public(), Vote: ledgertest.Key("y").Public(), Created: 1}
	must(t, disk.Create(filepath.Join(dir, volumeName), m))
	if _, err := Init(initConfig(dir)); !errors.Is(err, ErrVolumeInUse) && !errors.Is(err, disk.ErrVolumeExists) {
		t.Error(err)
	}
}

// steps are the files of a node in the order in which Init, and Renew, write them. A
// crash leaves a beginning of them.
var steps = []string{NodeKeyName, voteKeyName, certificateName, "volume/shards", "volume/tmp", "volume/quarantine", "volume/index.db", "volume/holdfast-volume", configName}

func TestInitAfterCrash(t *testing.T) {
	for done := range len(steps) {
		dir := t.TempDir()
		before := testInit(t, dir)
		for _, name := range steps[done:] {
			must(t, os.RemoveAll(filepath.Join(dir, name)))
		}
		cert := testInit(t, dir)
		wantWhole(t, dir, cert)
		if kept := cert.Node == before.Node; kept != (done > 0) {
			t.Errorf("after %d steps: node key kept: %v", done, kept)
		}
		if kept := cert.Vote == before.Vote; kept != (done > 1) {
			t.Errorf("after %d steps: vote key kept: %v", done, kept)
		}
	}
}

func testRenew(dir string) (ledger.NodeCertificate, error) {
	return Renew(dir, ledgertest.Key("operator"), "example", ledgertest.Start)
}

func TestRenew(t *testing.T) {
	dir := t.TempDir()
	before := testInit(t, dir)
	if _, err := testRenew(dir); !errors.Is(err, ErrVolumeInUse) {
		t.Error("over a volume that is there:", err)
	}
	marker := filepath.Join(dir, volumeName, disk.MarkerName)
	must(t, os.Remove(marker))
	must(t, os.Mkdir(filepath.Join(dir, volumeName, ledgerName), 0o700))
	if _, err := testRenew(dir); !errors.Is(err, ErrVolumeInUse) {
		t.Error("over a ledger:", err)
	}
	wantKey := func(path string, want bool) {
		t.Helper()
		k, _, err := ReadKeyFile(filepath.Join(dir, path), VoteKey)
		if found := err == nil && k.Public() == before.Vote; found != want {
			t.Errorf("%s holds the old vote key: %v", path, found)
		}
	}
	wantKey(voteKeyName, true)
	must(t, os.RemoveAll(filepath.Join(dir, volumeName)))
	if _, err := Renew(dir, ledgertest.Key("another"), "example", ledgertest.Start); !errors.Is(err, ErrKeyFile) {
		t.Error("by another operator:", err)
	}
	cert, err := testRenew(dir)
	must(t, err)
	wantWhole(t, dir, cert)
	if cert.Node != before.Node || cert.Vote == before.Vote || cert.Serial != 2 {
		t.Errorf("%+v after %+v", cert, before)
	}
	wantKey(voteKeyName, false)
	wantKey(voteKeyName+".retired-1", true)
	if _, err := testRenew(t.TempDir()); !errors.Is(err, ErrNoNode) {
		t.Error("without a node:", err)
	}
}

// A Renew that was interrupted after any step leaves a node that does not start, and
// is finished by the same call; the old vote key never comes back.
func TestRenewAfterCrash(t *testing.T) {
	order := append([]string{""}, steps[1:len(steps)-1]...)
	for done := range len(order) {
		dir := t.TempDir()
		old := testInit(t, dir)
		oldCertificate, err := os.ReadFile(filepath.Join(dir, certificateName))
		must(t, err)
		must(t, os.RemoveAll(filepath.Join(dir, volumeName)))
		_, err = testRenew(dir)
		must(t, err)
		for _, name := range order[done+1:] {
			must(t, os.RemoveAll(filepath.Join(dir, name)))
			if name == certificateName {
				must(t, os.WriteFile(filepath.Join(dir, name), oldCertificate, 0o600))
			}
		}
		if done < 2 {
			if _, err := readKeys(dir); err == nil || done == 1 && !errors.Is(err, ErrUnfinished) {
				t.Errorf("after %d steps the node would start: %v", done, err)
			}
		}
		cert, err := testRenew(dir)
		if done == len(order)-1 {
			if !errors.Is(err, ErrVolumeInUse) {
				t.Errorf("it was finished, and is renewed again: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("after %d steps: %v", done, err)
			continue
		}
		wantWhole(t, dir, cert)
		if cert.Vote == old.Vote || cert.Serial < 2 {
			t.Errorf("after %d steps: %+v", done, cert)
		}
	}
}

func TestFolderLock(t *testing.T) {
	dir := t.TempDir()
	testInit(t, dir)
	unlock, err := lockFolder(dir)
	must(t, err)
	if _, err := lockFolder(dir); !errors.Is(err, ErrRunning) {
		t.Error(err)
	}
	if _, err := testRenew(dir); !errors.Is(err, ErrRunning) {
		t.Error("renewed under a running node:", err)
	}
	if _, err := Open(t.Context(), dir, Options{Now: ledgertest.Start}); !errors.Is(err, ErrRunning) {
		t.Error("opened twice:", err)
	}
	must(t, unlock())
	unlock, err = lockFolder(dir)
	must(t, err)
	must(t, unlock())
}

// A damaged certificate, or one for other keys, keeps the node from starting.
func TestBadCertificates(t *testing.T) {
	dir := t.TempDir()
	testInit(t, dir)
	path := filepath.Join(dir, certificateName)
	good, err := os.ReadFile(path)
	must(t, err)
	bad := append([]byte{}, good...)
	bad[len(bad)-1] ^= 1
	for name, p := range map[string][]byte{"empty": {}, "flipped": bad, "short": good[:len(good)-1], "endless": make([]byte, certificateMax+1)} {
		must(t, os.WriteFile(path, p, 0o600))
		if _, err := readKeys(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	must(t, os.Remove(path))
	if _, err := readKeys(dir); !errors.Is(err, ErrNoCertificate) {
		t.Error(err)
	}
}

func TestRecertify(t *testing.T) {
	dir := t.TempDir()
	before := testInit(t, dir)
	later := func() time.Time { return ledgertest.Start().Add(300 * 24 * time.Hour) }
	cert, err := Recertify(dir, ledgertest.Key("operator"), "new name", later)
	must(t, err)
	wantWhole(t, dir, cert)
	if cert.Node != before.Node || cert.Vote != before.Vote || cert.Serial != 2 || cert.Name != "new name" || cert.ValidAt(later().Add(364*24*time.Hour)) != nil {
		t.Errorf("%+v", cert)
	}
	if _, err := Recertify(dir, ledgertest.Key("another"), "x", later); !errors.Is(err, ErrKeyFile) {
		t.Error(err)
	}
	if _, err := Recertify(t.TempDir(), ledgertest.Key("operator"), "x", later); !errors.Is(err, ErrNoNode) {
		t.Error(err)
	}
}
