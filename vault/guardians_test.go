package vault_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/testnet"
	"holdfast/vault"
	"holdfast/vault/guardian"
)

// people makes guardians' keys.
func people(t testing.TB, names ...string) (keys []guardian.Key, public []guardian.Public) {
	t.Helper()
	for _, name := range names {
		k, err := guardian.Generate(name)
		if err != nil {
			t.Fatal(err)
		}
		keys, public = append(keys, k), append(public, k.Public())
	}
	return keys, public
}

// createGuarded makes a vault with guardians.
func createGuarded(t testing.TB, n *testnet.Network, public []guardian.Public, threshold int) *merchant {
	t.Helper()
	m := emptyMachine(t, n)
	_, plan, err := m.home.Create(t.Context(), vault.Create{
		Name: "shop", Bootstrap: n.Bootstrap()[:1], Retention: time.Hour, Rights: ledger.Full, Device: "machine", Options: m.options(),
		Guardians: public, Threshold: threshold,
		Confirm: func(p vault.Plan) error {
			if len(p.Guardians) != len(public) || p.Threshold < 2 {
				t.Errorf("the plan that people confirm names %d guardians, threshold %d", len(p.Guardians), p.Threshold)
			}
			return nil
		},
		KeepKit: func(k vault.Kit) error { m.kit = k; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Guardians) != len(public) {
		t.Errorf("%d guardians in the plan", len(plan.Guardians))
	}
	return m
}

// TestRecoverWithGuardians loses the kit, the machine and two of four operators, and
// gets every byte back with two of three guardians: one gives a share on paper, the
// other a key.
func TestRecoverWithGuardians(t *testing.T) {
	n := newNetwork(t, 4, 4)
	keys, public := people(t, "Anna", "Ben", "Cleo")
	m := createGuarded(t, n, public, 0)
	tree := makeTree(t, 21)
	m.backup(tree)

	where := vault.Lookup{Vault: m.kit.Vault, Bootstrap: n.Bootstrap()[3:], Options: m.options()}
	own, err := where.ShareOf(t.Context(), keys[0])
	if err != nil || own.Charter.CID() != m.kit.Vault || own.Newest.CID() != m.kit.Vault || own.Charter.Threshold != 2 {
		t.Fatalf("Anna's share: %v, threshold %d", err, own.Charter.Threshold)
	}
	paper := own.File
	if paper.Share.Index != 1 || paper.Share.Of != 3 || paper.Network != n.Name() {
		t.Errorf("share %d of %d in %s", paper.Share.Index, paper.Share.Of, paper.Network)
	}
	if len(paper.Bootstrap) < 4 {
		t.Errorf("a share that names %d addresses of four members", len(paper.Bootstrap))
	}
	if _, err := n.Break(t.Context(), testnet.Wipe, "node-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Break(t.Context(), testnet.Kill, "node-2"); err != nil {
		t.Fatal(err)
	}

	if _, err := vault.ReadKit(strings.NewReader(paper.Text())); !errors.Is(err, vault.ErrKit) || !strings.Contains(err.Error(), "--share") {
		t.Errorf("a share where the kit belongs: %v", err)
	}
	read, err := guardian.ParseShareFile([]byte(paper.Text()))
	if err != nil {
		t.Fatal(err)
	}
	empty := emptyMachine(t, n)
	recovery := vault.Recovery{
		Lookup:        vault.Lookup{Options: empty.options()},
		Contributions: []guardian.Contribution{{From: "anna.txt", File: read}, {From: "cleo.key", Key: keys[2]}},
	}
	kit, err := recovery.Kit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if kit.Entropy != m.kit.Entropy || kit.Vault != m.kit.Vault || kit.Network != m.kit.Network {
		t.Fatalf("another kit came back: vault %s in %s", kit.Vault, kit.Network)
	}
	got, err := empty.home.Claim(t.Context(), vault.Claim{Kit: kit, Name: "shop", Rights: ledger.Read, Device: "empty", Options: empty.options()})
	if err != nil {
		t.Fatal(err)
	}
	if got.Standing.Freshness != ledger.FreshUnlessHidden {
		t.Errorf("2 of 4 members answer: %v", got.Standing)
	}
	empty.restore("latest", tree)
}

// TestRecoveryRefuses names what is wrong with what guardians bring.
func TestRecoveryRefuses(t *testing.T) {
	n := newNetwork(t, 4, 4)
	keys, public := people(t, "Anna", "Ben", "Cleo")
	m := createGuarded(t, n, public, 2)
	strangers, others := people(t, "Dora", "Emil")
	other := createGuarded(t, n, others, 2)
	bare := createVault(t, n)

	shareOf := func(m *merchant, k guardian.Key) guardian.Contribution {
		own, err := vault.Lookup{Vault: m.kit.Vault, Bootstrap: n.Bootstrap(), Options: m.options()}.ShareOf(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		return guardian.Contribution{From: k.Name, File: own.File}
	}
	key := func(k guardian.Key) guardian.Contribution { return guardian.Contribution{From: k.Name, Key: k} }
	anna, foreign := shareOf(m, keys[0]), shareOf(other, strangers[0])
	nameless := foreign
	nameless.File.Vault = anna.File.Vault
	type given = []guardian.Contribution
	for name, c := range map[string]struct {
		vault *merchant
		given given
		want  error
	}{
		"one share":                  {nil, given{anna}, guardian.ErrTooFew},
		"one key":                    {m, given{key(keys[1])}, guardian.ErrTooFew},
		"a share and its key":        {m, given{anna, key(keys[0])}, guardian.ErrDuplicate},
		"a stranger's key":           {m, given{anna, key(strangers[0])}, guardian.ErrWrongKey},
		"a share of another vault":   {nil, given{anna, foreign}, guardian.ErrForeign},
		"one that says it is of it":  {nil, given{anna, nameless}, guardian.ErrForeign},
		"shares of another vault":    {other, given{anna, shareOf(m, keys[1])}, guardian.ErrForeign},
		"keys that name no vault":    {nil, given{key(keys[0]), key(keys[1])}, vault.ErrUnnamed},
		"a vault without guardians":  {bare, given{key(keys[0]), key(keys[1])}, guardian.ErrNoSecret},
		"keys of another vault":      {m, given{key(strangers[0]), key(strangers[1])}, guardian.ErrWrongKey},
		"nothing, of a vault's name": {m, nil, guardian.ErrTooFew},
	} {
		r := vault.Recovery{Lookup: vault.Lookup{Bootstrap: n.Bootstrap()[:1], Options: m.options()}, Contributions: c.given}
		if c.vault != nil {
			r.Vault = c.vault.kit.Vault
		}
		if _, err := r.Kit(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (vault.Lookup{Vault: m.kit.Vault, Bootstrap: n.Bootstrap(), Options: m.options()}).ShareOf(t.Context(), strangers[0]); !errors.Is(err, guardian.ErrWrongKey) {
		t.Errorf("a stranger asks for a share: %v", err)
	}
}

// TestCreateRefusesGuardians before anybody is asked anything.
func TestCreateRefusesGuardians(t *testing.T) {
	_, public := people(t, "Anna", "Ben", "Cleo")
	for name, c := range map[string]struct {
		people    []guardian.Public
		threshold int
		want      error
	}{
		"a threshold without guardians": {nil, 2, guardian.ErrThreshold},
		"one guardian":                  {public[:1], 0, guardian.ErrThreshold},
		"one of three":                  {public, 1, guardian.ErrThreshold},
		"four of three":                 {public, 4, guardian.ErrThreshold},
		"one twice":                     {[]guardian.Public{public[0], public[1], public[0]}, 2, guardian.ErrTwice},
	} {
		h := vault.Home{Dir: t.TempDir(), Cache: t.TempDir()}
		_, _, err := h.Create(t.Context(), vault.Create{
			Name: "shop", Guardians: c.people, Threshold: c.threshold, Rights: ledger.Full,
			KeepKit: func(vault.Kit) error { t.Error("a kit for a vault that cannot be"); return nil },
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRecoverAfterGuardiansChanged gives a vault guardians after it was made, and puts
// another one in the place of one of them: those who are guardians now recover it, and
// the one who is none any more is told so. What the former ones could open together
// they still can: the root secret is the same.
func TestRecoverAfterGuardiansChanged(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 22)
	m.backup(tree)
	former, appoint := appointing(t, m)
	if c := m.changed(appoint); c.Number != 2 {
		t.Fatalf("charter %d", c.Number)
	}
	kim, _ := people(t, "Kim")
	keys := []guardian.Key{former[0], former[1], kim[0]}
	public := []guardian.Public{keys[0].Public(), keys[1].Public(), keys[2].Public()}
	out, err := m.change(vault.Change{Alter: vault.AppointGuardians(m.kit.Entropy, public, 2)})
	if !errors.Is(err, vault.ErrWaits) {
		t.Fatalf("a guardian is replaced without the others: %v", err)
	}
	m.approve(out.Request, keys[0])
	m.approve(out.Request, keys[1])
	if c := m.changed(vault.Change{Request: out.Request}); c.Number != 3 {
		t.Fatalf("charter %d", c.Number)
	}

	where := vault.Lookup{Vault: m.kit.Vault, Bootstrap: n.Bootstrap(), Options: m.options()}
	for key, number := range map[*guardian.Key]int64{&keys[0]: 3, &keys[2]: 3, &former[2]: 2} {
		own, err := where.ShareOf(t.Context(), *key)
		if err != nil || own.Charter.Number != number || own.Newest.Number != 3 {
			t.Errorf("%s has a share of charter %d, the newest is %d: %v", key.Name, own.Charter.Number, own.Newest.Number, err)
		}
	}
	key := func(k guardian.Key) guardian.Contribution { return guardian.Contribution{From: k.Name, Key: k} }
	for name, c := range map[string]struct {
		given []guardian.Contribution
		want  error
	}{
		"an old one and the new one": {[]guardian.Contribution{key(keys[1]), key(keys[2])}, nil},
		"a former one and an old":    {[]guardian.Contribution{key(former[2]), key(keys[0])}, nil},
		"a former one and the new":   {[]guardian.Contribution{key(former[2]), key(keys[2])}, guardian.ErrWrongKey},
	} {
		kit, err := vault.Recovery{Lookup: where, Contributions: c.given}.Kit(t.Context())
		if !errors.Is(err, c.want) || (err == nil) != (kit.Entropy == m.kit.Entropy) {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := emptyMachine(t, n)
	kit, err := vault.Recovery{Lookup: where, Contributions: []guardian.Contribution{key(keys[0]), key(keys[2])}}.Kit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := empty.home.Claim(t.Context(), vault.Claim{Kit: kit, Name: "shop", Rights: ledger.Read, Device: "empty", Options: empty.options()}); err != nil {
		t.Fatal(err)
	}
	empty.restore("latest", tree)
}
